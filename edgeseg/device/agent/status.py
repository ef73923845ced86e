"""What the agent knows of itself: the one place that metrics, log and screen read."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from edgeseg.device.agent.health import Trouble
from edgeseg.device.spool import SpoolInfo

RECENT = 600
"""So many last frames make the rates and distributions."""
LOOKS_EVERY_S = 2.0
"""The spool's index and the process's memory are asked so often."""


@dataclass(frozen=True)
class FrameReport:
    """How one frame went.

    Attributes:
        frame_id: Its name.
        score: Its score, None where it was not scored.
        item_id: Of the spool's item, None where it was not kept.
        troubles: What was wrong as it came.
        total_ms: How long it took, decoding and all.
        parts_ms: How long its network and its scoring took.
    """

    frame_id: str
    score: float | None
    item_id: str | None
    troubles: frozenset[Trouble]
    total_ms: float
    parts_ms: dict[str, float | None]


@dataclass
class Status:
    """Counts since the start, and the last frames.

    Attributes:
        source, model, strategy: What runs.
        spool_info: Asks the spool.
        scored, kept, unfit: Frames.
        late: Frames that were dropped since the agent was busy.
        reconnects, swaps, refused_swaps: Of source and model.
        troubles: Frames by trouble.
        spool: The spool's counts, a few seconds old at most.
        rss_mb: Resident memory, as old.
        recent: The last frames, each with the time when it was done.
    """

    source: str
    model: str
    strategy: str
    spool_info: Callable[[], SpoolInfo]
    scored: int = 0
    kept: int = 0
    unfit: int = 0
    late: int = 0
    reconnects: int = 0
    swaps: int = 0
    refused_swaps: int = 0
    troubles: Counter[Trouble] = field(default_factory=Counter)
    spool: SpoolInfo | None = None
    rss_mb: float = 0.0
    recent: deque[tuple[float, FrameReport]] = field(default_factory=lambda: deque(maxlen=RECENT))
    _next_look_s: float = 0.0

    def add(self, report: FrameReport) -> None:
        """Enters one frame."""
        self.recent.append((time.monotonic(), report))
        self.scored += report.score is not None
        self.unfit += report.score is None
        self.kept += report.item_id is not None
        if time.monotonic() >= self._next_look_s:
            self.look()

    def look(self) -> None:
        """Asks the spool and the system."""
        self._next_look_s = time.monotonic() + LOOKS_EVERY_S
        self.spool = self.spool_info()
        self.rss_mb = psutil.Process().memory_info().rss / 1e6

    @property
    def frames(self) -> int:
        """Frames that came."""
        return self.scored + self.late + self.unfit

    @property
    def frames_per_s(self) -> float:
        """Rate over the last frames."""
        if len(self.recent) < 2:
            return 0.0
        return (len(self.recent) - 1) / max(1e-9, self.recent[-1][0] - self.recent[0][0])

    @property
    def scores(self) -> list[float]:
        """Scores of the last frames."""
        return [report.score for _, report in self.recent if report.score is not None]
