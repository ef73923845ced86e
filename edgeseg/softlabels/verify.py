"""Checking every frame of a cache against its checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import CacheError
from edgeseg.progress import track
from edgeseg.softlabels import framefile
from edgeseg.softlabels.info import FRAMES_NAME, CacheInfo, read_info
from edgeseg.softlabels.store import FrameStore


@dataclass(frozen=True)
class Agreement:
    """How well cached soft labels agree with their teachers run afresh.

    Attributes:
        frames: Frames that were compared.
        kl_nats: Mean over pixels of KL(fresh ‖ cached).
        kl_p99: The 99th percentile over pixels, nats.
        argmax_agreement: Share of pixels with the same best class.
        flip_kl_nats: Mean over pixels of KL(fresh on the mirrored frame ‖ cached, mirrored): what a student
            loses that trains on mirrored frames with mirrored soft labels.
    """

    frames: int
    kl_nats: float
    kl_p99: float
    argmax_agreement: float
    flip_kl_nats: float


@dataclass(frozen=True)
class VerifyReport:
    """What a check of a cache found.

    Attributes:
        frames: Frames that are whole.
        frames_planned: Frames that the finished cache holds.
        bad: Sample id → what is wrong, for each frame that is missing, damaged, or of the wrong classes.
        agreement: Comparison with the teachers, or None where there was none.
    """

    frames: int
    frames_planned: int
    bad: Mapping[str, str]
    agreement: Agreement | None = None

    @property
    def ok(self) -> bool:
        """Whether every planned frame is whole."""
        return not self.bad

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; the figures of a comparison that was not made are null."""
        agreement = self.agreement
        return {
            "frames": self.frames,
            "frames_planned": self.frames_planned,
            "frames_compared": agreement.frames if agreement else 0,
            "kl_nats": agreement.kl_nats if agreement else None,
            "kl_p99": agreement.kl_p99 if agreement else None,
            "argmax_agreement": agreement.argmax_agreement if agreement else None,
            "flip_kl_nats": agreement.flip_kl_nats if agreement else None,
            "bad": list(self.bad.values()),
        }


def verify(path: Path | str) -> VerifyReport:
    """Reads every frame and checks its checksums.

    Raises:
        CacheError: The folder is no cache, damaged, or of a newer format.
    """
    info = read_info(Path(path))
    frames = FrameStore(Path(path) / FRAMES_NAME)
    ids = info.sample_ids
    found = {sample_id: _problem(frames, sample_id, info) for sample_id in track(ids, "checking soft labels")}
    bad = {sample_id: problem for sample_id, problem in found.items() if problem}
    return VerifyReport(len(ids) - len(bad), len(ids), bad)


def _problem(frames: FrameStore, sample_id: str, info: CacheInfo) -> str | None:
    try:
        framefile.check(frames.path(sample_id), sample_id)
        channels = frames.shape(sample_id)[0]
    except CacheError as error:
        return str(error)
    if channels != info.class_map.num_classes:
        return f"{sample_id}: has {channels} channels, the cache {info.class_map.num_classes} classes"
    return None
