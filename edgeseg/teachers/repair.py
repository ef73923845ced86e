"""Repairing a cache: what is damaged or missing is computed again, the rest is left as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg import datasets, softlabels
from edgeseg.cluster import EngineSettings
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord
from edgeseg.teachers.build import HERE
from edgeseg.teachers.construction import Construction
from edgeseg.teachers.engines import open_engine
from edgeseg.teachers.makers import load_makers, settings_of, table_of
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher


@dataclass(frozen=True)
class RepairReport:
    """What a repair did.

    Attributes:
        frames: Frames that the cache now holds, all of them whole.
        repaired: Sample id → what was wrong with it, for each frame that was computed again.
    """

    frames: int
    repaired: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"frames": self.frames, "repaired": list(self.repaired)}


def repair_cache(path: Path | str, settings: CacheSettings, engine: EngineSettings = HERE) -> RepairReport:
    """Checks every frame against its checksums and computes again those that are damaged or missing.

    Class weights, mirroring and remapping are the cache's own, so that a repaired cache has the bytes that it had.

    Args:
        path: The cache.
        settings: Teachers in the cache's order, and the dataset that it was made of.
        engine: Where the teachers run.

    Raises:
        CacheError: The folder is no cache, or another process writes it, or it was made by other teachers or of
            other data (the message says which), or its build was stopped before it had class weights.
        ClusterError, MissingDependencyError: The engine cannot be used.
        ConfigError, DataError, ModelError: A setting, the dataset or a teacher cannot be used.
        OutputError: The cache cannot be written.
    """
    info = softlabels.open(path).info
    dataset = datasets.open(settings.data)
    teachers = load_makers(info, settings)
    _require_makers(path, info, dataset, teachers)
    bad = softlabels.verify(path).bad
    if bad or not info.complete:
        with (
            open_engine(engine, settings_of(info, settings), table_of(info), teachers) as runs,
            CacheWriter(path, info, resume=True) as writer,
        ):
            Construction(dataset, writer, runs).fill(bad)
    return RepairReport(len(dataset), bad)


def _require_makers(path: Path | str, info: CacheInfo, dataset: Dataset, teachers: Sequence[Teacher]) -> None:
    given = replace(
        info,
        class_map=dataset.class_map,
        teachers=tuple(TeacherRecord(t.spec.model, t.spec.temperature, t.digest) for t in teachers),
        data_digest=dataset.digest(),
    )
    if different := info.differences(given):
        raise CacheError(
            f"{path}: cannot be repaired, since it was made otherwise: {'; '.join(different)}. "
            "Name its own teachers, in its order, and its own data"
        )
    if not info.class_weights:
        raise CacheError(
            f"{path}: has no class weights yet, its build was stopped before; continue it with "
            "edgeseg cache build --resume"
        )
