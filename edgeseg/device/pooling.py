"""What the model says in cells of its own grid, gathered over regions of the camera's frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.preprocess import Preprocess

CELL = 8
"""Side in network pixels of a cell of ``cell_probs`` and ``features``."""
STRIDE = 2
"""Every second camera pixel of every second row is looked at: superpixels of halved frames are made of such blocks."""


@dataclass(frozen=True)
class Overlaps:
    """Which cells lie in which region. Looked-at pixels are counted, one of ``STRIDE``² camera pixels.

    Attributes:
        region: (M,) intp, rising; one entry for each region and each cell that it meets.
        cell: (M,) intp, index into the rows of cells.
        pixels: (M,) float32, looked-at pixels that lie in both.
        regions: Number R of regions.
        areas: (R,) float32, looked-at pixels of each region that the model saw; 0 where it saw none.
        centres: (R, 2) float32, mean row and column in camera pixels.
        colours: (R, 3) float32, mean colour, 0 to 255.
    """

    region: NDArray[np.intp]
    cell: NDArray[np.intp]
    pixels: NDArray[np.float32]
    regions: int
    areas: NDArray[np.float32]
    centres: NDArray[np.float32]
    colours: NDArray[np.float32]

    def total(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums over each region what stands beside each overlap: (M, ...) → (R, ...)."""
        sums = np.zeros((self.regions, *values.shape[1:]), np.float32)
        if len(values):
            starts = np.flatnonzero(np.diff(self.region, prepend=-1))
            sums[self.region[starts]] = np.add.reduceat(values, starts, axis=0)
        return sums

    def mean(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of cells (rows · columns, K) over each region's looked-at pixels, (R, K); 0 where nothing was seen."""
        sums = self.total(cells[self.cell] * self.pixels[:, None])
        return np.asarray(sums / np.maximum(self.areas, 1)[:, None], np.float32)


def overlaps(labels: NDArray[np.int32], image: NDArray[np.uint8], preprocess: Preprocess) -> Overlaps:
    """Measures regions, and what of the model's grid they cover.

    Args:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        image: (H, W, 3) uint8, the camera's frame.
        preprocess: Where the frame lies in the network's input.
    """
    place, regions = preprocess.placement(labels.shape[0], labels.shape[1]), int(labels.max()) + 1
    rows = _cells(labels.shape[0], place.height, place.top, preprocess.height)
    columns = _cells(labels.shape[1], place.width, place.left, preprocess.width)
    sampled = np.ascontiguousarray(labels[::STRIDE, ::STRIDE])
    starts, lengths = _runs(sampled, columns)
    row, column = np.divmod(starts, len(columns))
    region, cell_row, cell_column = sampled.ravel()[starts].astype(np.intp), rows[row], columns[column]
    colours = np.add.reduceat(image[::STRIDE, ::STRIDE].reshape(-1, 3), starts, axis=0, dtype=np.float32)
    sums = (lengths, lengths * row, lengths * (column + (lengths - 1) / 2), *colours.T)
    seen = (region >= 0) & (cell_row >= 0) & (cell_column >= 0)
    totals = np.stack([np.bincount(region[seen], values[seen], regions) for values in sums], 1).astype(np.float32)
    means = np.asarray(totals[:, 1:] / np.maximum(totals[:, :1], 1), np.float32)
    cell = cell_row * -(-preprocess.width // CELL) + cell_column
    joined = _joined(region[seen], cell[seen], lengths[seen])
    return Overlaps(*joined, regions, totals[:, 0], np.float32(STRIDE) * means[:, :2], means[:, 2:])


def _joined(
    region: NDArray[np.intp], cell: NDArray[np.intp], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Adds up the runs of the same region and cell."""
    if not len(region):
        return region, cell, np.zeros(0, np.float32)
    cells = int(cell.max()) + 1
    keys = region * cells + cell
    order = np.argsort(keys)
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    pixels = np.add.reduceat(lengths[order].astype(np.float32), firsts)
    return keys[firsts] // cells, keys[firsts] % cells, pixels


def _runs(labels: NDArray[np.int32], columns: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Starts and lengths of the runs of one row, one region and one column of cells, in flat positions."""
    breaks = np.ones(labels.shape, bool)
    breaks[:, 1:] = (labels[:, 1:] != labels[:, :-1]) | (columns[1:] != columns[:-1])
    starts = np.flatnonzero(breaks)
    return starts, np.diff(starts, append=labels.size)


def _cells(length: int, scaled: int, offset: int, limit: int) -> NDArray[np.intp]:
    """Cell in which each looked-at pixel along a side of the frame lies, -1 where the network does not see it."""
    places = np.floor((np.arange(0, length, STRIDE) + 0.5) * scaled / length).astype(np.intp) + offset
    return np.where((places < 0) | (places >= limit), -1, places // CELL)
