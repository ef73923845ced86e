"""The last seconds before a frame that something outside asks for, kept ready as whole items."""

from __future__ import annotations

from collections import deque

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
        self._items: deque[tuple[float, int, Item]] = deque()
        self._bytes = 0

    def wants(self, time_s: float) -> bool:
        """Whether a frame of this moment belongs in it."""
        return self._seconds > 0 and (not self._items or time_s >= self._items[-1][0] + self._every_s)

    def add(self, time_s: float, item: Item) -> None:
        """Takes an item in; the oldest give way."""
        size = sum(map(len, item[1].values()))
        self._items.append((time_s, size, item))
        self._bytes += size
        while self._items and (self._bytes > self._most_bytes or self._items[0][0] < time_s - self._seconds):
            self._bytes -= self._items.popleft()[1]

    def take(self) -> list[Item]:
        """Hands out what it holds, the oldest first; it is empty then."""
        taken = [item for _, _, item in self._items]
        self._items.clear()
        self._bytes = 0
        return taken
