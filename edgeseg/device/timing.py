"""How long each part of a frame's way takes, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

PARTS = ("decode", "network", "scoring", "spool", "total")
REMEMBERED = 10_000
"""Medians are of so many last frames."""


class Timing:
    """Durations by part of the work."""

    def __init__(self) -> None:
        # Of full length from the start: what fills up over hours looks like a leak.
        self._ms = {part: np.zeros(REMEMBERED) for part in PARTS}
        self._count = dict.fromkeys(PARTS, 0)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Adds the block's duration; a block that fails adds nothing."""
        start = time.perf_counter_ns()
        yield
        self.add(part, time.perf_counter_ns() - start)

    def add(self, part: str, nanoseconds: int) -> None:
        """Adds one duration."""
        self._ms[part][self._count[part] % REMEMBERED] = nanoseconds / 1e6
        self._count[part] += 1

    def last_ms(self, part: str) -> float | None:
        """The latest duration of a part."""
        count = self._count[part]
        return float(self._ms[part][(count - 1) % REMEMBERED]) if count else None

    def medians_ms(self) -> dict[str, float | None]:
        """Median by part in milliseconds; None where nothing was measured."""
        known = {part: self._ms[part][: self._count[part]] for part in PARTS}
        return {part: round(float(np.median(values)), 3) if values.size else None for part, values in known.items()}
