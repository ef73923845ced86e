"""Which frames of a run stay in the spool: every one, or the best N seen so far."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from edgeseg.device.spool import Spool
from edgeseg.records import Record

ALL, BEST_OF_RUN = "all", "best-of-run"
POLICY_VERSION = "1"


@dataclass(order=True)
class _Kept:
    """A kept frame; of equal scores the later one gives way first."""

    score: float
    recency: int
    item_id: str = field(compare=False)
    new: bool = field(compare=False)


class Keeper:
    """Spools frames as they come and takes the lowest out again when a better one displaces it.

    A better frame is in the spool before the lowest leaves it, so that an interruption at any moment
    loses nothing; at worst one frame above the budget stays. What an upload holds or has sent cannot leave,
    and counts: once it is the whole budget, nothing more is kept. At worst an upload takes the last frame
    in the moment before that is noticed: one above the budget.

    Args:
        spool: Where they are kept.
        budget_frames: N, or None to keep every frame.
    """

    def __init__(self, spool: Spool, budget_frames: int | None) -> None:
        self.spool = spool
        self.budget_frames = budget_frames
        self.policy = ALL if budget_frames is None else BEST_OF_RUN
        self.kept = 0
        self.known = 0
        self._offered = self._sent = 0
        self._heap: list[_Kept] = []

    def wants(self, score: float) -> bool:
        """Whether a frame of this score would be kept."""
        if self.budget_frames is None or len(self._heap) + self._sent < self.budget_frames:
            return True
        return bool(self._heap) and score > self._heap[0].score

    def keep(self, record: Record, blobs: dict[str, bytes]) -> str | None:
        """Spools a frame that is wanted.

        Returns:
            Item id of the frame that it displaced, None where it displaced none; its own where no other could leave.

        Raises:
            OutputError: The spool cannot be written.
        """
        new = self.spool.put(record, blobs)
        self.known += not new
        self.kept += 1
        if self.budget_frames is None:
            return None
        self._offered += 1
        heapq.heappush(self._heap, _Kept(record.scores[0].value, -self._offered, record.item_id, new))
        return self._displace() if len(self._heap) + self._sent > self.budget_frames else None

    def _displace(self) -> str | None:
        while self._heap:
            lowest = heapq.heappop(self._heap)
            # What an earlier run had spooled is not this run's to take out.
            if not lowest.new or self.spool.remove(lowest.item_id):
                self.kept -= 1
                self.known -= not lowest.new
                return lowest.item_id
            self._sent += 1
        return None
