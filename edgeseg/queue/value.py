"""What a label of a region is worth: how uncertain the model was there, and how rare its class is in the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.queue.packing import REGION

UNKNOWN_RARITY = 0.5
"""Of regions without a class, and of frames without regions: as if their class were of average size."""


def rarity(sample: Sequence[bytes], classes: int) -> NDArray[np.float64]:
    """How rare each class is: 1 / (1 + C·share), C the number of classes seen.

    A class of average size has 0.5, one that was hardly ever seen 1; nothing needs tuning.

    Args:
        sample: Packed regions of some items, drawn evenly.
        classes: Highest class number, plus one.

    Returns:
        (classes + 1,) float64 in (0, 1]; the last one, which class -1 points at, is ``UNKNOWN_RARITY``.
    """
    regions = np.frombuffer(b"".join(sample), REGION)
    regions = regions[regions["class"] >= 0]
    area = np.bincount(regions["class"], weights=regions["area_px"], minlength=classes)
    share = area / max(area.sum(), 1)
    return np.append(1 / (1 + np.count_nonzero(area) * share), UNKNOWN_RARITY)


def ranks(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Rank of each value within its group, from just above 0 to 1 for the highest; equal values share the higher one.

    Scores of two strategies have different units; their ranks can be compared.

    Args:
        values: (N,) float64.
        groups: (N,) group numbers.
    """
    ranked = np.empty(len(values))
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        ordered = np.sort(values[inside])
        ranked[inside] = np.searchsorted(ordered, values[inside], side="right") / len(inside)
    return ranked


@dataclass(frozen=True)
class Worths:
    """Worth of every region of N items, R in all.

    Attributes:
        flat: (R,) float64 in (0, 1], item after item.
        ends: (N,) where each item's regions end.
    """

    flat: NDArray[np.float64]
    ends: NDArray[np.int64]

    def of(self, index: int) -> NDArray[np.float64]:
        """Worths of one item's regions."""
        return self.flat[self.ends[index - 1] if index else 0 : self.ends[index]]

    def counts(self) -> NDArray[np.int64]:
        """Regions of each item, (N,)."""
        return np.diff(self.ends, prepend=0)

    def best_means(self, most: int) -> NDArray[np.float64]:
        """Mean worth of each item's ``most`` best regions, (N,); NaN for an item without regions."""
        counts = self.counts()
        item = np.repeat(np.arange(len(counts)), counts)
        order = np.lexsort((-self.flat, item))
        within = np.arange(len(item)) - (self.ends - counts)[item]
        best = np.bincount(item, weights=np.where(within < most, self.flat[order], 0.0), minlength=len(counts))
        return np.where(counts > 0, best / np.maximum(np.minimum(counts, most), 1), np.nan)


def region_worths(packed: Sequence[bytes], groups: NDArray[np.intp], rarity_of: NDArray[np.float64]) -> Worths:
    """Worth of every region: rank of its score within its group, times the rarity of its class.

    Args:
        packed: Regions of N items.
        groups: (N,) number of each item's strategy.
        rarity_of: As ``rarity`` gives it.
    """
    regions = np.frombuffer(b"".join(packed), REGION)
    counts = np.array([len(part) // REGION.itemsize for part in packed], np.int64)
    score_ranks = ranks(regions["score"].astype(np.float64), np.repeat(groups, counts))
    return Worths(score_ranks * rarity_of[regions["class"]], np.cumsum(counts))
