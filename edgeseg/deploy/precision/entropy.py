"""Range of an activation by entropy: where cutting it off costs the distribution the least information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 2048
LEVELS = 128
"""Magnitudes that symmetric int8 tells apart."""
_STRIDE = 16


class MagnitudeHistogram:
    """Counts of |value| in ``BINS`` bins from 0 on; their width doubles when a larger value comes.

    Widths are powers of two, so that bins merge in pairs and no count has to be divided.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.float64)
        self.width = 0.0

    def add(self, magnitudes: NDArray[np.float32]) -> None:
        """Counts values that are not negative; what is not finite is left out."""
        finite = magnitudes[np.isfinite(magnitudes)]
        largest = float(finite.max(initial=0.0))
        if largest <= 0:
            return
        width = 2.0 ** np.ceil(np.log2(largest / BINS))
        while 0 < self.width < width:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(BINS // 2)])
            self.width *= 2
        self.width = self.width or width
        places = np.minimum((finite / np.float32(self.width)).astype(np.int64), BINS - 1)
        self.counts += np.bincount(places, minlength=BINS)

    def range(self) -> float:
        """The cut-off of the least divergence; 0 where nothing was counted.

        Migacz, "8-bit inference with TensorRT" (2017): for each cut-off the values beyond it are moved to the
        last bin, giving P; Q is what 128 levels leave of the bins before it; the cut-off with the least
        KL(P‖Q) is taken.
        """
        used = np.flatnonzero(self.counts)
        if not used.size:
            return 0.0
        counts = self.counts.copy()
        # A rectifier's zeros are exact in any range, and so many that they would hide all else.
        counts[0] = counts[1]
        last = int(used[-1]) + 1
        cuts = [*range(LEVELS, last, _STRIDE), last]
        best = min(cuts, key=lambda cut: divergence(counts, cut))
        return float(best * self.width)


def divergence(counts: NDArray[np.float64], cut: int) -> float:
    """KL(P‖Q) in nats of a histogram cut off after ``cut`` bins; infinite where Q lacks a bin of P."""
    inside = counts[:cut]
    reference = inside.copy()
    reference[-1] += counts[cut:].sum()
    level = np.minimum(np.arange(cut) * LEVELS // max(cut, LEVELS), LEVELS - 1)
    present = inside > 0
    totals = np.bincount(level, inside, LEVELS)
    members = np.bincount(level, present, LEVELS)
    spread = np.where(present, totals[level] / np.maximum(members[level], 1), 0.0)
    if not spread.sum() or (reference[~present] > 0).any():
        return float("inf")
    p, q = reference / reference.sum(), spread / spread.sum()
    held = p > 0
    return float((p[held] * np.log(p[held] / q[held])).sum())
