"""Decoded grids that stay in memory, for trainings that read the same frames in every epoch."""

from __future__ import annotations

import math
import threading

import numpy as np

from edgeseg.softlabels.grid import Grid

Placed = tuple[Grid, int, int]
"""Log-probabilities (C, gh, gw) float32, and the grid's row and column that they begin with."""
_BORDER = 4
"""Samples that a piece may have beyond the frame, on both sides together."""


class KeptGrids:
    """Whole grids by their frames' keys, as many as fit; those that came first stay.

    A training reads every frame once an epoch, so none is worth more than another, and the one that was used last is
    wanted last.

    Args:
        memory_mb: Bound in MiB.
    """

    def __init__(self, memory_mb: float = 0) -> None:
        self._memory_mb = memory_mb
        self._left = int(memory_mb * 2**20)
        self._grids: dict[str, Placed] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Placed | None:
        """What was put under a key."""
        return self._grids.get(key)

    def has_room(self, classes: int, size: tuple[int, int]) -> bool:
        """Whether a grid of so many classes and samples, height first, still fits."""
        return 4 * classes * math.prod(side + _BORDER for side in size) <= self._left

    def put(self, key: str, grid: Grid, row: int, column: int) -> Placed:
        """Keeps a copy, where it fits; what was given."""
        with self._lock:
            if key not in self._grids and grid.nbytes <= self._left:
                self._left -= grid.nbytes
                self._grids[key] = (np.array(grid), row, column)
        return grid, row, column

    def forget(self, key: str) -> None:
        """Lets go of a frame that changed."""
        with self._lock:
            if found := self._grids.pop(key, None):
                self._left += found[0].nbytes

    def __reduce__(self) -> tuple[type[KeptGrids], tuple[float]]:
        # What another process gets fills a memory of its own.
        return KeptGrids, (self._memory_mb,)
