"""From the network's input back to the frame: logits cut to the frame, then upsampled."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgeseg.preprocess import Preprocess


def restored(logits: Tensor, preprocess: Preprocess, frame: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Brings logits to label size: undoes letterbox or crop, then upsamples bilinearly, corners not aligned.

    Where ``crop`` cut the frame's border off, the nearest logits inside are repeated.

    Args:
        logits: (N, C, h, w) float at the size of the network's input.
        preprocess: How the frames became the input.
        frame: (height, width) of the frames in pixels.
        size: (height, width) of the result.

    Returns:
        (N, C, height, width) float32.
    """
    place = preprocess.placement(*frame)
    both = place.within(*preprocess.size)
    top, bottom, left, right = both.cut_off(place)
    seen = logits.float()[:, :, both.rows, both.columns]
    if top or bottom or left or right:
        seen = functional.pad(seen, (left, right, top, bottom), mode="replicate")
    if seen.shape[2:] != size:
        seen = functional.interpolate(seen.contiguous(), size, mode="bilinear", align_corners=False)
    return seen
