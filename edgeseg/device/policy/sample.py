"""A small sample of the stream: what its candidates were worth and would have cost.

Reservoir sampling whose old members fade: Aggarwal, "On Biased Reservoir Sampling in the Presence of Stream Evolution",
VLDB 2006.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class StreamSample:
    """Worth and costs of candidates, the recent ones likelier than those of long ago.

    Args:
        size: Most members.
        memory_s: Time after which a member is gone with probability 1 - 1/e.
        options: Forms of a candidate.
        costs: Kinds of cost.
        seed: Of the draws.
    """

    def __init__(self, size: int, memory_s: float, options: int, costs: int, seed: int = 0) -> None:
        self._size, self._memory_s = size, memory_s
        self._worth = np.zeros((size, options))
        self._costs = np.zeros((size, options, costs))
        self._count = 0
        self._seen = 0
        self._gap_s = 0.0
        self._draw = np.random.default_rng(seed)

    @property
    def seen(self) -> int:
        """Candidates that came by."""
        return self._seen

    @property
    def worth(self) -> NDArray[np.float64]:
        """(N, F) float64: worth of each form of each member."""
        return self._worth[: self._count]

    @property
    def costs(self) -> NDArray[np.float64]:
        """(N, F, K) float64: costs of each form of each member."""
        return self._costs[: self._count]

    @property
    def rate_hz(self) -> float:
        """Candidates a second, of late; 0 where none is known."""
        return 1 / self._gap_s if self._gap_s else 0.0

    def add(self, worth: NDArray[np.float64], costs: NDArray[np.float64], gap_s: float) -> None:
        """Takes notice of a candidate.

        Args:
            worth: (F,) float64.
            costs: (F, K) float64.
            gap_s: Time since the candidate before, 0 where there was none.
        """
        self._seen += 1
        if gap_s > 0:
            share = max(0.01, 1 / self._seen)
            self._gap_s += share * (gap_s - self._gap_s) if self._gap_s else gap_s
        place = self._place()
        if place is not None:
            self._worth[place], self._costs[place] = worth, costs

    def _place(self) -> int | None:
        """Where the candidate goes, None where it is passed over."""
        if self._count < self._size:
            self._count += 1
            return self._count - 1
        fading = self._size * self._gap_s / self._memory_s
        if self._draw.random() < max(self._size / self._seen, min(1.0, fading)):
            return int(self._draw.integers(self._size))
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "worth": [[float(f"{x:.6g}") for x in row] for row in self.worth],
            "costs": [[[float(f"{x:.6g}") for x in form] for form in row] for row in self.costs],
            "seen": self._seen,
            "gap_s": self._gap_s,
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Takes what ``to_dict`` gave.

        Raises:
            ValueError: It is of other forms or costs.
        """
        worth, costs = np.array(plain["worth"], float)[-self._size :], np.array(plain["costs"], float)[-self._size :]
        if len(worth) and (worth.shape[1:] != self._worth.shape[1:] or costs.shape[1:] != self._costs.shape[1:]):
            raise ValueError(f"sample of shapes {worth.shape} and {costs.shape}")
        self._count = len(worth)
        if self._count:
            self._worth[: self._count], self._costs[: self._count] = worth, costs
        self._seen, self._gap_s = int(plain["seen"]), float(plain["gap_s"])
