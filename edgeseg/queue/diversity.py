"""Greedy k-center: each choice is the candidate that lies farthest from all that was chosen before.

Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985): the radius is at most twice the best one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 64
_ONES = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


def distances(signatures: NDArray[np.int64], center: np.int64) -> NDArray[np.float64]:
    """Share of bits in which each signature (N,) differs from a centre, (N,) in [0, 1]."""
    apart = (signatures ^ center).view(np.uint16).reshape(-1, BITS // 16)
    return np.asarray(_ONES[apart].sum(1) / BITS, np.float64)


class FarthestFirst:
    """Candidates by what they add to those chosen so far: value^(1 - diversity) · distance^diversity.

    Args:
        signatures: (N,) int64, 64 bits each.
        values: (N,) float64 in [0, 1].
        diversity: 0 goes by value alone, 1 is the greedy k-center.
        centers: (M,) int64 signatures that are covered already, such as those of labeled frames.
    """

    def __init__(
        self,
        signatures: NDArray[np.int64],
        values: NDArray[np.float64],
        diversity: float,
        centers: NDArray[np.int64],
    ) -> None:
        self._signatures = np.ascontiguousarray(signatures)
        self._weight = values ** (1 - diversity)
        self._diversity = diversity
        # While nothing is covered, every candidate is as far away as can be.
        self.distance = np.ones(len(signatures))
        for center in np.unique(centers):
            self._cover(center)

    def gains(self) -> NDArray[np.float64]:
        """What each candidate adds, (N,) in [0, 1]."""
        gains: NDArray[np.float64] = self._weight * self.distance**self._diversity
        return gains

    def choose(self, index: int) -> float:
        """Takes a candidate; its distance to what was chosen before."""
        before = float(self.distance[index])
        self._cover(self._signatures[index])
        return before

    def _cover(self, center: np.int64) -> None:
        np.minimum(self.distance, distances(self._signatures, center), out=self.distance)
