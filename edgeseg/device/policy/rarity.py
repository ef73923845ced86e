"""What a class that is hardly ever seen adds to a frame's worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESENT = 0.002
"""Share of a frame's pixels from which on a class is there: a pedestrian at some distance."""
MEMORY_FRAMES = 5000


class Rarity:
    """In which share of frames each class was seen, of late."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._seen: dict[str, float] = {}
        self._frames = 0

    def boost(self, classes: Mapping[str, float]) -> float:
        """Factor of a frame's worth: 1 where all of its classes are always seen, 1 + weight for one never seen."""
        if not self._frames or not self._weight:
            return 1.0
        rarest = max((1 - self._seen.get(name, 0.0) for name, s in classes.items() if s >= PRESENT), default=0.0)
        return 1 + self._weight * rarest

    def add(self, classes: Mapping[str, float]) -> None:
        """Takes notice of a frame."""
        self._frames += 1
        share = max(1 / self._frames, 1 / MEMORY_FRAMES)
        for name in {*self._seen, *classes}:
            present = classes.get(name, 0.0) >= PRESENT
            self._seen[name] = self._seen.get(name, 0.0) * (1 - share) + share * present

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"seen": self._seen, "frames": self._frames}

    def restore(self, plain: dict[str, Any]) -> None:
        """Takes what ``to_dict`` gave."""
        self._seen = {str(name): float(share) for name, share in plain["seen"].items()}
        self._frames = int(plain["frames"])
