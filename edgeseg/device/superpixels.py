"""Superpixels by SLIC: fast-slic where it is installed, else OpenCV's own, several times slower.

Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", TPAMI 2012.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError

SUPERPIXEL_PX = 1400
"""Pixels of one superpixel, as in the method: about 1500 of them in a frame of 1024×2048."""
HALVED_FROM = 576
"""Superpixels of so many pixels or more are found on the frame at half its size, in a fourth of the time."""
COMPACTNESS = 10
HALVED_COMPACTNESS = 8
"""Halving smooths edges; at this value half-size superpixels meet true boundaries as often as full-size ones."""
ITERATIONS = 10
MOST_COMPONENTS = 30_000
"""fast-slic numbers them by 16 bits with a sign."""
LARGEST = 4
"""Superpixels above this many nominal sizes are cut: noise makes SLIC merge half a frame into one."""


def superpixels(image: NDArray[np.uint8], superpixel_px: int = SUPERPIXEL_PX) -> NDArray[np.int32]:
    """Cuts a frame into superpixels.

    From ``HALVED_FROM`` pixels a superpixel on, the frame is halved first, and every boundary lies between
    blocks of 2×2 pixels. A frame whose shorter side is below that of two superpixels is cut along a grid.

    Args:
        image: (H, W, 3) uint8 RGB.
        superpixel_px: Pixels that one superpixel has on average.

    Returns:
        (H, W) int32, superpixel ids 0 to K - 1, each of them in use.

    Raises:
        ConfigError: ``superpixel_px`` is too small for this frame.
    """
    height, width = image.shape[:2]
    side = round(math.sqrt(superpixel_px))
    count = max(1, round(height * width / superpixel_px))
    if superpixel_px < 16 or count > MOST_COMPONENTS:
        least = max(16, math.ceil(height * width / MOST_COMPONENTS))
        raise ConfigError(
            f"superpixel_px is {superpixel_px}; a frame of {height}x{width} needs at least {least} pixels a superpixel"
        )
    if min(height, width) < 2 * side:
        return contiguous(grid(height, width, side))
    if superpixel_px < HALVED_FROM:
        return contiguous(cut_large(_slic(image, count, side, COMPACTNESS), side))
    half = cv2.resize(image, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    labels = _slic(np.asarray(half, np.uint8), count, max(2, round(side / 2)), HALVED_COMPACTNESS)
    return _doubled(contiguous(cut_large(labels, side / 2)), height, width)


@lru_cache(maxsize=1)
def has_fast_slic() -> bool:
    """Whether fast-slic is installed (extra ``regions``)."""
    return find_spec("fast_slic") is not None


@lru_cache(maxsize=1)
def _fast_class() -> Any:
    """fast-slic's class for the widest vector instructions that this processor has."""
    for architecture, module, name in (("x64/avx2", "avx2", "SlicAvx2"), ("arm/neon", "neon", "SlicNeon")):
        if architecture in import_module("fast_slic").get_supported_archs():
            return getattr(import_module(f"fast_slic.{module}"), name)
    return import_module("fast_slic").Slic


def _slic(image: NDArray[np.uint8], count: int, side: int, compactness: int) -> NDArray[np.int32]:
    return _fast(image, count, compactness) if has_fast_slic() else _opencv(image, side, compactness)


def _fast(image: NDArray[np.uint8], count: int, compactness: int) -> NDArray[np.int32]:
    # One thread: its waiting threads take the processor from whatever else runs on a vehicle, and gain little.
    slic = _fast_class()(num_components=count, compactness=compactness, num_threads=1)
    labels = slic.iterate(np.ascontiguousarray(image), max_iter=ITERATIONS)
    # Pixels that no cluster reached are -1; together they become one more superpixel.
    return np.where(labels < 0, np.int32(MOST_COMPONENTS), labels.astype(np.int32))


def _opencv(image: NDArray[np.uint8], side: int, compactness: int) -> NDArray[np.int32]:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    # SLICO adapts the compactness by itself: plain SLIC falls apart on noise.
    slic = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLICO, side, float(compactness))
    slic.iterate(ITERATIONS)
    slic.enforceLabelConnectivity(25)
    return np.asarray(slic.getLabels(), np.int32)


def _doubled(labels: NDArray[np.int32], height: int, width: int) -> NDArray[np.int32]:
    # OpenCV copies 32 bits, whatever they mean, so ids pass as floats.
    size = (2 * labels.shape[1], 2 * labels.shape[0])
    twice = cv2.resize(labels.view(np.float32), size, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(twice[:height, :width]).view(np.int32)


def grid(height: int, width: int, side: int) -> NDArray[np.int32]:
    """Square cells, numbered row by row, (H, W) int32."""
    rows, columns = np.arange(height, dtype=np.int32) // side, np.arange(width, dtype=np.int32) // side
    return np.asarray(rows[:, None] * (-(-width // side)) + columns[None, :], np.int32)


def cut_large(labels: NDArray[np.int32], side: float) -> NDArray[np.int32]:
    """Cuts regions of more than ``LARGEST`` squares of this side along a grid; ids are no longer without gaps."""
    large = np.bincount(labels.ravel()) > LARGEST * side * side
    if not large.any():
        return labels
    cells = grid(labels.shape[0], labels.shape[1], max(1, round(side)))
    return np.where(large[labels], len(large) + labels * (cells.max() + 1) + cells, labels)


def contiguous(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumbers so that every id from 0 on is in use, in the order of the old ids; -1 stays."""
    if labels.max() < 1 << 22:
        used = np.bincount(labels.ravel() + 1) > 0
        used[0] = False
        return np.asarray((np.cumsum(used, dtype=np.int32) - 1)[labels + 1], np.int32)
    values, places = np.unique(labels, return_inverse=True)
    return np.asarray(places.reshape(labels.shape) - np.count_nonzero(values < 0), np.int32)
