"""What a run of the vehicle's loop did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    Attributes:
        frames: Frames decoded.
        kept: Of these, how many are in the spool at the end; ``known`` of them had been there before.
        dropped: The others.
        refused: Of the dropped, those that were to be kept but found no room in the spool.
        late: Of the dropped, those that were not scored since the agent was busy.
        unfit: Of the dropped, those that were not scored since they were black, frozen or of a wrong size.
        unreadable: Images that could not be decoded and were skipped.
        reconnects: How often a live source was lost.
        model_swaps: How often the model's file was replaced by one that runs since.
        policy_swaps: How often the policy's file was replaced by one that could be used.
        troubles: Frames that were black, frozen, of another size or at a clock that is off; seconds short of memory.
        interrupted: Whether it ended on a signal before its source did.
        timing_ms: Medians a frame: ``decode``, ``network`` (preprocessing inside), ``scoring`` (host
            outputs to decision), ``spool`` (encoding and writing a kept frame), ``total``.
        spool: The spool's folder.
        strategy: The strategy's name.
        model_digest: SHA-256 of the model file.
    """

    frames: int
    kept: int
    known: int
    dropped: int
    refused: int
    late: int
    unfit: int
    unreadable: int
    reconnects: int
    model_swaps: int
    policy_swaps: int
    troubles: dict[str, int]
    interrupted: bool
    timing_ms: dict[str, float | None]
    spool: Path
    strategy: str
    model_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**vars(self), "spool": str(self.spool)}
