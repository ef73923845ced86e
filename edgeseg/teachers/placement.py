"""From the network's input back to the frame: logits cut to the frame, then upsampled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.preprocess import Preprocess, overlap


def logits_at(logits: Tensor, preprocess: Preprocess, frame: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Brings logits to label size: undoes letterbox or crop, then upsamples bilinearly, corners not aligned.

    Where ``crop`` cut the frame's border off, the nearest logits inside are repeated.

    Args:
        logits: (C, h, w) float at the size of the network's input.
        preprocess: How the frame became the input.
        frame: (height, width) of the frame in pixels.
        size: (height, width) of the result.

    Returns:
        (C, height, width) float32.
    """
    place = preprocess.placement(*frame)
    rows, piece_rows = overlap(place.top, place.height, preprocess.height)
    columns, piece_columns = overlap(place.left, place.width, preprocess.width)
    seen = logits.float()[None, :, rows, columns]
    border = (piece_columns.start, place.width - piece_columns.stop, piece_rows.start, place.height - piece_rows.stop)
    if any(border):
        seen = functional.pad(seen, border, mode="replicate")
    if seen.shape[2:] != size:
        seen = functional.interpolate(seen, size, mode="bilinear", align_corners=False)
    return torch.squeeze(seen, 0)
