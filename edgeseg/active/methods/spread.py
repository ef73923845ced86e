"""Whether what a method scores by says anything: a branch that gives every pixel the same number selects at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import TrainingError

LEAST_SPREAD = 1e-3
"""Share of the range of possible values below which all values together are one constant."""


class Spread:
    """Lowest and highest value of all that a round scores.

    Args:
        method: Who scores by them, for the message.
        what: What they are, for the message.
        highest: Highest possible value; the lowest is 0.
        of: What each call of ``add`` brings the values of, for the message.
    """

    def __init__(self, method: str, what: str, highest: float = 1.0, of: str = "frames") -> None:
        self.method, self.what, self.highest, self.of = method, what, highest, of
        self.low, self.high, self.maps = math.inf, -math.inf, 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Takes a map of any shape in."""
        # NumPy's own, since min() and max() would pass over what is no number.
        self.low = float(np.minimum(self.low, values.min()))
        self.high = float(np.maximum(self.high, values.max()))
        self.maps += 1

    def require(self) -> None:
        """Looks at all maps together.

        Raises:
            TrainingError: They hold one and the same value, or one that is no number.
        """
        if self.high - self.low >= LEAST_SPREAD * self.highest:
            return
        raise TrainingError(
            f"method {self.method}: the {self.what} is constant ({self.low:.6f} to {self.high:.6f} over all of "
            f"{self.maps} {self.of}), so that its choice would be arbitrary; train longer in each round, start with "
            "more labels, or choose another strategy"
        )
