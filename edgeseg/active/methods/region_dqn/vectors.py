"""What a region looks like to the policy: the classes predicted in it, and its entropy in coarse."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgeseg.classes import IGNORE_INDEX

POOLED = 8
"""Side of the coarse entropy maps."""


def vector_length(num_classes: int) -> int:
    """C + 1 + 192."""
    return num_classes + 1 + 3 * POOLED**2


def cell_map(size: tuple[int, ...], rows: int, columns: int) -> NDArray[np.int32]:
    """Region ids (H, W) int32 of a frame of this size cut into rows and columns, equal to a pixel, row by row."""
    row, column = (np.arange(n) * parts // n for n, parts in zip(size, (rows, columns), strict=True))
    return (row[:, None] * columns + column).astype(np.int32)


def region_vectors(
    class_map: NDArray[np.uint8], entropy: NDArray[np.float32], rows: int, columns: int, num_classes: int
) -> Tensor:
    """Vectors of a frame's regions, row by row.

    Args:
        class_map: (H, W) predicted train ids, or ``IGNORE_INDEX``.
        entropy: (H, W) nats.
        rows: Regions from top to bottom.
        columns: Regions from left to right.
        num_classes: C.

    Returns:
        (rows · columns, C + 1 + 192) float32: shares of the classes and of pixels without one, then smallest, mean and
        largest entropy of 8×8 parts.
    """
    shares = class_shares(class_map, cell_map(class_map.shape, rows, columns), num_classes)
    bands = np.split(entropy, _cuts(entropy.shape[0], rows))
    parts = [_coarse(cell) for band in bands for cell in np.split(band, _cuts(entropy.shape[1], columns), axis=1)]
    return torch.cat((shares, torch.stack(parts)), 1)


def class_shares(class_map: NDArray[np.uint8], regions: NDArray[np.int32], num_classes: int) -> Tensor:
    """Share of each class in each region, (R, C + 1) float32; the last is that of pixels without a class.

    Args:
        class_map: (H, W) train ids, predicted or true, ``IGNORE_INDEX`` where there is none.
        regions: (H, W), ids 0 to R - 1.
        num_classes: C.
    """
    classes = np.where(class_map == IGNORE_INDEX, num_classes, class_map).astype(np.int64)
    bins, count = num_classes + 1, int(regions.max()) + 1
    counts = np.bincount((regions * bins + classes).ravel(), minlength=count * bins).reshape(count, bins)
    return torch.from_numpy((counts / counts.sum(1, keepdims=True)).astype(np.float32))


def _cuts(length: int, parts: int) -> list[int]:
    """Where ``cell_map`` begins a new row or column."""
    return [-(-length * k // parts) for k in range(1, parts)]


def _coarse(entropy: NDArray[np.float32]) -> Tensor:
    plane = torch.from_numpy(np.ascontiguousarray(entropy))[None, None]
    lowest = -functional.adaptive_max_pool2d(-plane, POOLED)
    mean, highest = functional.adaptive_avg_pool2d(plane, POOLED), functional.adaptive_max_pool2d(plane, POOLED)
    return torch.cat((lowest, mean, highest), 1).flatten()
