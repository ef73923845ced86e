"""Checking every frame of a cache against its checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import CacheError
from edgeseg.progress import track
from edgeseg.softlabels.frames import Frames
from edgeseg.softlabels.info import read_info
from edgeseg.softlabels.places import place_of


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


def verify(where: Path | str) -> VerifyReport:
    """Reads every frame and checks the checksums of its index and of every tile.

    Args:
        where: Folder, or URL of an object store.

    Raises:
        CacheError: It is no cache, damaged, or of another format.
        StoreError: The object store does not answer, or refuses.
    """
    place = place_of(where)
    info = read_info(place)
    frames, ids = Frames(place, info.sample_ids, info.class_map.num_classes), info.sample_ids
    found = {sample_id: _problem(frames, sample_id) for sample_id in track(ids, "checking soft labels")}
    bad = {sample_id: problem for sample_id, problem in found.items() if problem}
    return VerifyReport(len(ids) - len(bad), len(ids), bad)


def _problem(frames: Frames, sample_id: str) -> str | None:
    try:
        frames.check(sample_id)
    except CacheError as error:
        return str(error)
    return None
