"""Checking every frame of a cache against its checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import CacheError
from edgeseg.progress import track
from edgeseg.softlabels import framefile
from edgeseg.softlabels.info import FRAMES_NAME, CacheInfo, read_info
from edgeseg.softlabels.store import FrameStore


@dataclass(frozen=True)
class VerifyReport:
    """What a check of a cache found.

    Attributes:
        frames: Frames that are whole.
        frames_planned: Frames that the finished cache holds.
        bad: One line for each frame that is missing, damaged, or of the wrong classes.
    """

    frames: int
    frames_planned: int
    bad: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every planned frame is whole."""
        return not self.bad

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"frames": self.frames, "frames_planned": self.frames_planned, "bad": list(self.bad)}


def verify(path: Path | str) -> VerifyReport:
    """Reads every frame and checks its checksums.

    Raises:
        CacheError: The folder is no cache, damaged, or of a newer format.
    """
    info = read_info(Path(path))
    frames = FrameStore(Path(path) / FRAMES_NAME)
    found = [_problem(frames, sample_id, info) for sample_id in track(info.sample_ids, "checking soft labels")]
    bad = tuple(problem for problem in found if problem)
    return VerifyReport(len(found) - len(bad), len(found), bad)


def _problem(frames: FrameStore, sample_id: str, info: CacheInfo) -> str | None:
    try:
        framefile.check(frames.path(sample_id), sample_id)
        channels = frames.shape(sample_id)[0]
    except CacheError as error:
        return str(error)
    if channels != info.class_map.num_classes:
        return f"{sample_id}: has {channels} channels, the cache {info.class_map.num_classes} classes"
    return None
