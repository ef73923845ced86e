"""2×2 max pooling that remembers where the maxima were, in two bit-equal forms.

Torch's own operators are the fast ones. Their ONNX form (MaxPool with indices, MaxUnpool) is what
TensorRT refuses, so an export traces the same arithmetic as space-to-depth, ArgMax and Where.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def max_pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Pools 2×2 cells.

    Args:
        features: (N, C, H, W), H and W even.

    Returns:
        Maxima (N, C, H/2, W/2), and the places of the first maximum of each cell, for ``max_unpool`` only.
    """
    if not _exporting():
        return functional.max_pool2d(features, 2, return_indices=True)
    channels, height, width = (int(size) for size in features.shape[1:])
    cells = functional.pixel_unshuffle(features, 2).reshape(-1, channels, 4, height // 2, width // 2)
    return cells.amax(2), cells.argmax(2, keepdim=True)


def max_unpool(features: Tensor, places: Tensor) -> Tensor:
    """Sets (N, C, H/2, W/2) values at the places that ``max_pool`` found; (N, C, H, W), zero elsewhere."""
    if not _exporting():
        return functional.max_unpool2d(features, places, [2, 2])
    channels, height, width = (int(size) for size in features.shape[1:])
    corner = torch.arange(4, device=features.device).view(1, 1, 4, 1, 1)
    cells = torch.where(places == corner, features.unsqueeze(2), torch.zeros_like(features).unsqueeze(2))
    return functional.pixel_shuffle(cells.reshape(-1, channels * 4, height, width), 2)


def _exporting() -> bool:
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting()
