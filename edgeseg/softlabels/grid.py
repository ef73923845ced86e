"""The grid under a label map: every 1, 2 or 4 label pixels one sample of unnormalised log-probabilities.

Networks give logits on a coarser grid than the labels, and soft labels are the softmax of their bilinear
interpolation. So interpolating log-probabilities, up to what is common to all classes, is exact where interpolating
probabilities is not. Sample g of an axis lies at label pixel (g + ½)·stride − ½, corners not aligned.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Axis = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Lower neighbour and share of the upper neighbour of each position."""
Grid = NDArray[np.float32]
STRIDES: Final = (1, 2, 4)
# An exact zero has no logarithm; as this, its class adds no more to a divergence.
_FLOOR: Final = np.float32(1e-8)


def grid_size(pixels: int, stride: int) -> int:
    """Samples on an axis of so many label pixels."""
    return -(-pixels // stride)


def axis(positions: NDArray[np.float64], samples: int) -> Axis:
    """Neighbours and shares of positions, in samples; those outside take the nearest sample."""
    inside = positions.clip(0, samples - 1)
    lower = np.minimum(inside.astype(np.int32), max(samples - 2, 0))
    return lower, (inside - lower).astype(np.float32)


def positions(first: float, step: float, count: int, stride: int) -> NDArray[np.float64]:
    """Where count pixels, each step label pixels wide from label pixel first on, have their centres, in samples."""
    return (first + (np.arange(count) + 0.5) * step) / stride - 0.5


def fit(probs: NDArray[np.float32], stride: int) -> Grid:
    """The grid whose interpolation is nearest to the centred log-probabilities (least squares, axis by axis).

    Args:
        probs: (C, H, W) float32, Σ over C = 1.
        stride: Label pixels a sample.

    Returns:
        (C, gh, gw) float32 with mean 0 over C where stride is 1.
    """
    from edgeseg.softlabels.kernels import fit_rows

    mean = np.zeros(probs.shape[1:], np.float32)
    for plane in probs:
        mean += np.log(np.maximum(plane, _FLOOR))
    mean /= len(probs)
    height, width = (grid_size(pixels, stride) for pixels in probs.shape[1:])
    grid = np.empty((len(probs), height, width), np.float32)
    down = axis(positions(0, 1, probs.shape[1], stride), height)
    across = axis(positions(0, 1, probs.shape[2], stride), width)
    for plane, target in zip(probs, grid, strict=True):
        log = np.log(np.maximum(plane, _FLOOR)) - mean
        if stride > 1:
            log = fit_rows(log, *down, height)
            log = fit_rows(np.ascontiguousarray(log.T), *across, width).T
        target[:] = log
    return grid


def divergence(grid: Grid, probs: NDArray[np.float32], stride: int, negentropy: float) -> tuple[float, float]:
    """Mean KL(probs ‖ grid's probabilities) in nats, and the share of pixels with the same best class.

    Args:
        grid: (C, gh, gw) float32.
        probs: (C, H, W) float32.
        stride: Label pixels a sample.
        negentropy: Mean over pixels of Σ_k p_k log p_k of ``probs``, see ``negentropy``.
    """
    from edgeseg.softlabels.kernels import cross_entropy

    height, width = probs.shape[1:]
    down = axis(positions(0, 1, height, stride), grid.shape[1])
    across = axis(positions(0, 1, width, stride), grid.shape[2])
    nats, agreed = cross_entropy(grid, *down, *across, probs)
    pixels = height * width
    return float(nats) / pixels + negentropy, float(agreed) / pixels


def negentropy(probs: NDArray[np.float32]) -> float:
    """Mean over pixels of Σ_k p_k log p_k, in nats."""
    total = 0.0
    for plane in probs:
        total += float((plane * np.log(np.maximum(plane, np.float32(1e-37)))).sum(dtype=np.float64))
    return float(total / probs[0].size)
