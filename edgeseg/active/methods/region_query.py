"""From a value of each pixel to what is asked for: rectangles of a frame, means over regions, the best of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.choices import Choice
from edgeseg.deploy.fullsize import FullSize
from edgeseg.device.partition import components
from edgeseg.device.regions import outlines
from edgeseg.device.view import FrameView

RECTANGLE_CLICKS = 5
"""Least cost of a rectangle: its corners, and one class."""


def rectangles(height: int, width: int, rows: int, columns: int) -> NDArray[np.int32]:
    """Cuts a frame into rows · columns rectangles of equal size but for rounding, numbered row by row: (H, W) int32."""
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return np.asarray(row[:, None] * columns + column[None, :], np.int32)


def in_camera_pixels(view: FrameView, plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brings a map of the network's size (h, w) to the camera's (H, W), bilinearly; 0 where the network saw nothing."""
    height, width = view.frame.image.shape[:2]
    full = FullSize(view.info.preprocess, (height, width), height, width)
    found, seen = full.plane(plane), full.seen()
    return found if seen is None else np.where(seen, found, np.float32(0))


def region_means(
    values: NDArray[np.float32], regions: NDArray[np.int32], labeled: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Mean of a map over each region, in the map's unit.

    Args:
        values: (H, W).
        regions: (H, W) ids 0 to R - 1, each in use, -1 outside all regions.
        labeled: (H, W), pixels that count as 0 because they need no label (S4AL: Rangnekar et al., "Semantic
            Segmentation with Active Semi-Supervised Learning", WACV 2023), or None.

    Returns:
        (R,).
    """
    wanted = values if labeled is None else np.where(labeled, np.float32(0), values)
    places = regions.ravel() + 1
    sums = np.bincount(places, weights=wanted.ravel())[1:]
    return np.asarray(sums / np.bincount(places)[1:], np.float64)


def free_regions(regions: NDArray[np.int32], labeled: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """(R,) bool, regions of which no pixel was asked for yet; ``regions`` and ``labeled`` as of ``region_means``."""
    count = int(regions.max()) + 1
    return np.ones(count, np.bool_) if labeled is None else np.bincount(regions[labeled], minlength=count) == 0


def best_of_image(values: NDArray[np.float64], number: int) -> list[int]:
    """Ids of the regions of highest value, best first, at most ``number``, none of value 0; equals go by id."""
    order = np.argsort(-values, kind="stable")[:number]
    return [int(region) for region in order if values[region] > 0]


def rectangle_choices(
    frame: int,
    regions: NDArray[np.int32],
    chosen: Sequence[int],
    values: NDArray[np.float64],
    class_map: NDArray[np.uint8],
) -> list[Choice]:
    """Asks for rectangles; each costs the clicks of outlining what the model sees in it.

    A rectangle cuts through objects, so that one click for its class would not do.

    Args:
        frame: Index in the pool.
        regions: (H, W) int32 of ``rectangles``.
        chosen: Ids, in the order wanted.
        values: (R,) of all rectangles.
        class_map: (H, W) uint8, predicted train ids in camera pixels.
    """
    width = regions.shape[1]
    choices = []
    for region in chosen:
        rows, columns = (np.flatnonzero((regions == region).any(axis)) for axis in (1, 0))
        pixels = (rows[:, None] * width + columns[None, :]).ravel().astype(np.int64)
        clicks = _clicks(class_map[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        choices.append(Choice(frame, pixels, clicks, float(values[region])))
    return choices


def _clicks(classes: NDArray[np.uint8]) -> int:
    pieces = components(np.ascontiguousarray(classes), max(classes.shape))
    found = outlines(pieces, np.arange(pieces.max() + 1, dtype=np.intp))
    return max(RECTANGLE_CLICKS, sum(outline.clicks for outline in found))
