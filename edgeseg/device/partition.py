"""Ways to cut a frame into regions: superpixels, a grid, or what the model sees as one thing."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.superpixels import contiguous, cut_large

RegionKind = Literal["pixels", "superpixel", "grid", "component"]
"""``pixels`` are connected groups of the most uncertain pixels, wherever they are; the others know no uncertainty."""
REGION_KINDS: tuple[str, ...] = get_args(RegionKind)
SMALLEST_PX = 64
"""Connected groups of fewer pixels are nothing that a person could label."""


def components(class_map: NDArray[np.uint8], side: int) -> NDArray[np.int32]:
    """Connected components (4 neighbours) of the prediction, the large ones cut.

    Road and sky are single components that exceed any budget, so what is larger than ``LARGEST``
    squares of ``side`` is cut along a grid. What is smaller than ``SMALLEST_PX`` belongs to no region.

    Args:
        class_map: (H, W) uint8 train ids.
        side: Nominal side of a region in pixels.

    Returns:
        (H, W) int32, ids 0 to R - 1, each in use, -1 outside all regions.
    """
    labels = contiguous(cut_large(_connected(class_map), side))
    return without_small(labels, SMALLEST_PX)


def without_small(labels: NDArray[np.int32], smallest_px: int) -> NDArray[np.int32]:
    """Takes regions below ``smallest_px`` out: (H, W) int32, ids 0 to R - 1, -1 outside all regions."""
    counts = np.bincount(labels.ravel() + 1)
    keep = counts >= smallest_px
    keep[0] = False
    return np.asarray(np.where(keep, np.cumsum(keep, dtype=np.int32) - 1, np.int32(-1))[labels + 1], np.int32)


def outside(labels: NDArray[np.int32], ignored: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Takes pixels out of their regions, and regions that lose all of them: ids again 0 to R - 1, -1 outside."""
    return contiguous(np.where(ignored, np.int32(-1), labels))


def _connected(class_map: NDArray[np.uint8]) -> NDArray[np.int32]:
    # Pixels lie at even places of a picture twice as large; the odd places between two are bridges where their
    # classes agree. One pass over it labels all classes at once.
    height, width = class_map.shape
    bridged = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    bridged[::2, ::2] = 1
    bridged[::2, 1::2] = class_map[:, 1:] == class_map[:, :-1]
    bridged[1::2, ::2] = class_map[1:] == class_map[:-1]
    _, labels = cv2.connectedComponents(bridged, connectivity=4)
    return np.asarray(labels[::2, ::2] - 1, np.int32)
