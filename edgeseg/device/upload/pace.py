"""When the next bytes may go: the bandwidth cap, and the waits after failures."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

Answer = TypeVar("Answer")


class Throttle:
    """Lets bytes pass at a rate, on average; an object goes in one piece and the next waits for what it took.

    Args:
        bytes_per_s: The rate; None lets everything pass.
        now: Seconds of a clock that never goes back.
    """

    def __init__(self, bytes_per_s: float | None, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_s
        self._now = now
        self._turn = threading.Lock()
        self._free_at = now()

    def reserve(self, size: int) -> float:
        """Enters so many bytes and returns the seconds to wait before they may go."""
        if self._rate is None:
            return 0.0
        with self._turn:
            start = max(self._now(), self._free_at)
            self._free_at = start + size / self._rate
            return start - self._now()


class Persist(Protocol):
    """Repeats a request that fails."""

    def __call__(self, request: Callable[[], Answer]) -> Answer:
        """Calls a request until it succeeds, and gives its answer; raises ``StoreError`` where it does not."""


class Backoff:
    """Waits after failures: evenly drawn from 0 to a bound that doubles ("full jitter").

    Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Args:
        first_s, longest_s: Bound after the first failure, and at most.
        seed: Of the draws; None for a new one each time.
    """

    def __init__(self, first_s: float, longest_s: float, seed: int | None = None) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._draw = random.Random(seed)

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, at least one."""
        return self._draw.uniform(0, min(self._longest_s, self._first_s * 2.0 ** min(failures - 1, 60)))
