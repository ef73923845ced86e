"""2×2 max pooling that remembers where the maxima were, in two bit-equal forms.

Torch's own operators are the fast ones. Their ONNX form (MaxPool with indices, MaxUnpool) is what
TensorRT refuses, so an export traces a mask of the places at full size instead: every operation of it
keeps the layout of the convolutions around it, where a space-to-depth would make a runtime leave it.
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
    height, width = (int(size) for size in features.shape[2:])
    maxima = functional.max_pool2d(features, 2)
    # Of several equal maxima the first counts, so each place weighs more than those behind it.
    weights = torch.tensor([[4.0, 3.0], [2.0, 1.0]], device=features.device).repeat(1, 1, height // 2, width // 2)
    marks = (features >= _spread(maxima)).to(features.dtype) * weights
    return maxima, (marks == _spread(functional.max_pool2d(marks, 2))).to(features.dtype)


def max_unpool(features: Tensor, places: Tensor) -> Tensor:
    """Sets (N, C, H/2, W/2) values at the places that ``max_pool`` found; (N, C, H, W), zero elsewhere."""
    if not _exporting():
        return functional.max_unpool2d(features, places, [2, 2])
    # A product and not a choice by Where, which onnxruntime does on one thread.
    return _spread(features) * places


def _spread(features: Tensor) -> Tensor:
    """Every value four times, once for each pixel of its cell."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


def _exporting() -> bool:
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting()
