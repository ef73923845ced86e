"""The last seconds before a frame that something outside asks for, kept ready as whole items."""

from __future__ import annotations

from collections import deque

from edgeseg.device.policy.candidate import Candidate
from edgeseg.records import Record

Item = tuple[Record, dict[str, bytes]]


class Roll:
    """A ring buffer of items.

    Args:
        seconds: How far it reaches back.
        every_s: Least time between two of its frames.
        most_bytes: Most that it holds.
    """

    def __init__(self, seconds: float, every_s: float, most_bytes: int) -> None:
        self._seconds, self._every_s, self._most_bytes = seconds, every_s, most_bytes
        self._items: deque[tuple[int, Candidate, Item]] = deque()
        self._bytes = 0

    def wants(self, time_s: float) -> bool:
        """Whether a frame of this moment belongs in it."""
        return self._seconds > 0 and (not self._items or time_s >= self._items[-1][1].time_s + self._every_s)

    def add(self, candidate: Candidate, item: Item) -> None:
        """Takes a frame in, and what it would be in the spool; the oldest give way."""
        size = sum(map(len, item[1].values()))
        self._items.append((size, candidate, item))
        self._bytes += size
        oldest_s = candidate.time_s - self._seconds
        while self._items and (self._bytes > self._most_bytes or self._items[0][1].time_s < oldest_s):
            self._bytes -= self._items.popleft()[0]

    def take(self, time_s: float) -> list[tuple[Candidate, Item]]:
        """Hands out what it holds of the time before a moment, the oldest first; it is empty then."""
        since_s = time_s - self._seconds
        taken = [(candidate, item) for _, candidate, item in self._items if candidate.time_s >= since_s]
        self._items.clear()
        self._bytes = 0
        return taken
