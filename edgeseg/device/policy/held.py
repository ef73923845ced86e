"""What was kept and may still be given up for something better."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edgeseg.device.policy.candidate import Candidate, Form
from edgeseg.device.policy.novelty import differing_bits


@dataclass(frozen=True, eq=False)
class HeldItem:
    """One of them.

    Attributes:
        candidate: Which frame.
        form: How much of it was kept.
        worth: In that form.
        costs: By budget.
    """

    candidate: Candidate
    form: Form
    worth: float
    costs: dict[str, float]


class Held:
    """All of them, in the order of their time."""

    def __init__(self) -> None:
        self._items: list[HeldItem] = []

    def __iter__(self) -> Iterator[HeldItem]:
        return iter(self._items)

    def add(self, item: HeldItem) -> None:
        """Takes one in."""
        self._items.append(item)

    def remove(self, item: HeldItem) -> None:
        """Takes one out."""
        self._items.remove(item)

    def named(self, frame: str) -> HeldItem | None:
        """The one of this frame, None where it is not held."""
        return next((item for item in self._items if item.candidate.frame == frame), None)

    def older_than(self, time_s: float) -> list[HeldItem]:
        """Those from before a moment."""
        return [item for item in self._items if item.candidate.time_s < time_s]

    def least(self, budget: str, without: Collection[HeldItem] = ()) -> HeldItem | None:
        """The one that is worth least for what it costs this budget."""
        others = [item for item in self._items if item not in without and item.costs[budget] > 0]
        return min(others, key=lambda item: (item.worth / item.costs[budget], -item.candidate.time_s), default=None)

    def rivals(self, candidate: Candidate, spacing_s: float, bits: int) -> list[HeldItem]:
        """Those that cannot be kept beside a candidate: too close to it in time, or alike."""
        return [
            item
            for item in self._items
            if abs(candidate.time_s - item.candidate.time_s) < spacing_s
            or differing_bits(candidate.image_hash, item.candidate.image_hash) <= bits
        ]
