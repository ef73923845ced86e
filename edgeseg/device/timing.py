"""How long each part of a frame's way takes, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

PARTS = ("decode", "network", "scoring", "spool", "total")
REMEMBERED = 10_000
"""Medians are of so many last frames."""


class Timing:
    """Durations by part of the work."""

    def __init__(self) -> None:
        self._ms: dict[str, deque[float]] = {part: deque(maxlen=REMEMBERED) for part in PARTS}

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Adds the block's duration; a block that fails adds nothing."""
        start = time.perf_counter_ns()
        yield
        self.add(part, time.perf_counter_ns() - start)

    def add(self, part: str, nanoseconds: int) -> None:
        """Adds one duration."""
        self._ms[part].append(nanoseconds / 1e6)

    def last_ms(self, part: str) -> float | None:
        """The latest duration of a part."""
        return self._ms[part][-1] if self._ms[part] else None

    def medians_ms(self) -> dict[str, float | None]:
        """Median by part in milliseconds; None where nothing was measured."""
        return {part: round(median(values), 3) if values else None for part, values in self._ms.items()}
