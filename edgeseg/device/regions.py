"""Regions of a frame: their sums, the choice of the most uncertain ones, and their outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX

RegionScore = Literal["sum", "mean"]
CLICK_TOLERANCE_PX = 2.0
"""How far a labeler's outline may leave the exact one; sets how many corners a region costs."""


@dataclass(frozen=True)
class Outline:
    """A region's shape in camera pixels.

    Attributes:
        polygons: Outer outlines, one array (P, 2) int32 of x, y for each connected piece.
        rle: Runs of 0 and 1 in turn, 0 first, over the frame column by column (COCO's order).
        clicks: Corners of the outlines simplified to ``CLICK_TOLERANCE_PX``, and one for the class.
    """

    polygons: tuple[NDArray[np.int32], ...]
    rle: tuple[int, ...]
    clicks: int


def areas(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pixels of each region, (R,) int64; ``labels`` (H, W) int32 holds 0 to R - 1, and -1 outside all regions."""
    regions, _, lengths = _runs(labels)
    return _total(regions, lengths)


def region_values(labels: NDArray[np.int32], values: NDArray[np.uint8], how: RegionScore) -> NDArray[np.float64]:
    """Sum or mean of a map over each region.

    A sum favours large regions, as the method's published form does; under a budget of pixels the
    mean is the gain per pixel spent.

    Args:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        values: (H, W) uint8.
        how: ``"sum"`` or ``"mean"``.

    Returns:
        (R,) float64, in the map's unit (a sum: times pixels).
    """
    regions, starts, lengths = _runs(labels)
    sums = _total(regions, np.add.reduceat(values.ravel(), starts, dtype=np.int64)).astype(np.float64)
    return sums / _total(regions, lengths) if how == "mean" else sums


def _runs(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.intp]]:
    """Region (-1 outside all), start and length of each run of one region in flat positions: far fewer than pixels."""
    flat = labels.ravel()
    starts = np.concatenate((np.zeros(1, np.intp), np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    return flat[starts], starts, np.diff(starts, append=flat.size)


def _total(regions: NDArray[np.int32], amounts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of whole amounts by region, exact below 2⁵³; what is outside all regions is left out."""
    return np.bincount(regions + 1, weights=amounts)[1:].astype(np.int64)


def majority_class(
    labels: NDArray[np.int32], class_map: NDArray[np.uint8], chosen: NDArray[np.intp]
) -> list[int | None]:
    """Train id that most pixels of each chosen region have; None where most of it was not seen by the model.

    Args:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        class_map: (H, W) uint8 train ids, ``IGNORE_INDEX`` where the model saw nothing.
        chosen: (K,) region ids.
    """
    rank = _rank_of(labels, chosen)
    inside = rank >= 0
    cells = np.bincount(rank[inside] * 256 + class_map[inside], minlength=len(chosen) * 256)
    winners = cells.reshape(len(chosen), 256).argmax(1)
    return [None if winner == IGNORE_INDEX else int(winner) for winner in winners]


def choose(labels: NDArray[np.int32], values: NDArray[np.float64], share: float) -> NDArray[np.intp]:
    """Chooses whole regions by falling value until the next one would exceed the share of the frame.

    Args:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        values: (R,) float64; equal values go by region id.
        share: Share of the frame's pixels in (0, 1].

    Returns:
        Ids of the chosen regions, highest value first; at least one where there is any.
    """
    if not values.size:
        return np.zeros(0, np.intp)
    order = np.argsort(-values, kind="stable")
    fits = np.cumsum(areas(labels)[order]) <= share * labels.size
    return order[: max(1, int(fits.sum()))]


def outlines(labels: NDArray[np.int32], chosen: NDArray[np.intp]) -> list[Outline]:
    """Outlines of the chosen regions (K,), in their order; ``labels`` (H, W) int32."""
    height, width = labels.shape
    # Transposed, so that the flat position runs down the columns, as the encoding wants it.
    rank = _rank_of(labels, chosen).T.ravel()
    positions = np.flatnonzero(rank >= 0)
    by_region = positions[np.argsort(rank[positions], kind="stable")]
    ends = np.cumsum(np.bincount(rank[positions], minlength=len(chosen)))
    return [_outline(pixels, height, width) for pixels in np.split(by_region, ends[:-1])] if len(chosen) else []


def encode_rle(positions: NDArray[np.intp], size: int) -> tuple[int, ...]:
    """Run lengths of a mask.

    Args:
        positions: Flat positions of the mask's pixels, rising, at least one.
        size: Pixels in the whole frame.

    Returns:
        Lengths of runs of 0 and 1 in turn, beginning with 0s (possibly none), together ``size``.
    """
    breaks = np.flatnonzero(np.diff(positions) != 1)
    starts = positions[np.concatenate(([0], breaks + 1))]
    stops = positions[np.concatenate((breaks, [len(positions) - 1]))] + 1
    edges = np.concatenate(([0], np.stack((starts, stops), 1).ravel(), [size]))
    runs = np.diff(edges).tolist()
    return tuple(runs if runs[-1] else runs[:-1])


def decode_rle(counts: tuple[int, ...], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (H, W) bool that ``encode_rle`` took apart, column by column."""
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _rank_of(labels: NDArray[np.int32], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """(H, W): position in ``chosen`` of each pixel's region, -1 where it is not chosen."""
    # The last entry is what label -1 points at.
    table = np.full(int(labels.max()) + 2, -1, np.intp)
    table[chosen] = np.arange(len(chosen))
    return table[labels]


def _outline(pixels: NDArray[np.intp], height: int, width: int) -> Outline:
    x, y = pixels // height, pixels % height
    left, top = int(x.min()), int(y.min())
    mask = np.zeros((int(y.max()) - top + 1, int(x.max()) - left + 1), np.uint8)
    mask[y - top, x - left] = 1
    rings, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    corners = sum(len(cv2.approxPolyDP(ring, CLICK_TOLERANCE_PX, closed=True)) for ring in rings)
    polygons = tuple(np.asarray(ring.reshape(-1, 2), np.int32) for ring in rings)
    return Outline(polygons, encode_rle(pixels, height * width), corners + 1)
