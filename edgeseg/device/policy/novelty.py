"""Leaving out what looks like something that was kept, minutes or drives ago."""

from __future__ import annotations

from collections import deque

import numpy as np

_BITS = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def differing_bits(one: int, other: int) -> int:
    """In how many bits two hashes differ."""
    return (one ^ other).bit_count()


class KeptHashes:
    """Hashes of kept frames, the oldest giving way.

    Args:
        capacity: Most hashes.
        bits: Hashes that differ in at most so many of 64 bits are alike; -1 for none.
    """

    def __init__(self, capacity: int, bits: int) -> None:
        self._known: deque[int] = deque(maxlen=capacity)
        self._bits = bits

    def has_like(self, image_hash: int) -> bool:
        """Whether a kept frame looks like this one."""
        if self._bits < 0 or not self._known:
            return False
        known = np.array(self._known, np.uint64)
        differing = (known ^ np.uint64(image_hash)).view(np.uint8).reshape(-1, 8)
        return bool((_BITS[differing].sum(1) <= self._bits).any())

    def add(self, image_hash: int) -> None:
        """Remembers a kept frame's hash."""
        self._known.append(image_hash)

    def to_list(self) -> list[str]:
        """Plain form for JSON, the oldest first."""
        return [f"{known:016x}" for known in self._known]

    def restore(self, plain: list[str]) -> None:
        """Takes what ``to_list`` gave."""
        for text in plain:
            self.add(int(text, 16))
