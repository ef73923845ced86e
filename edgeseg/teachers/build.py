"""Building the cache: measure the class weights, mix the teachers, keep every frame once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeseg import config, datasets, softlabels
from edgeseg.cluster import EngineSettings
from edgeseg.datasets import Dataset
from edgeseg.progress import say
from edgeseg.remap import Table, load_table
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord
from edgeseg.teachers.construction import Construction
from edgeseg.teachers.engines import open_engine
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.loading import load_teachers
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher
from edgeseg.teachers.weighting import Weighting, settle

HERE = EngineSettings()
"""The teachers run in this process."""


def build_cache(
    settings: CacheSettings, out: Path | str, resume: bool = False, engine: EngineSettings = HERE
) -> CacheInfo:
    """Runs the teachers over a dataset and keeps their mixed soft labels.

    The class weights must be known before anything can be mixed. Where they are measured on the frames that
    are cached, the teachers' probabilities wait in a local scratch folder, so that no teacher sees a frame
    twice, if there is space for it (``settings.scratch``) and they run on this machine. Killed at any
    moment, the build goes on with ``resume`` where it stopped, and ends with the same bytes as one that was
    never interrupted, wherever the teachers run, as long as the hardware computes the same.

    Args:
        settings: Teachers, dataset and how they are mixed.
        out: The cache, a folder or the URL of an object store.
        resume: Whether a cache that is there is continued; frames that are damaged are computed again.
        engine: Where the teachers run.

    Returns:
        What the finished cache holds.

    Raises:
        ConfigError: A setting cannot be used.
        DataError, ModelError: The dataset or a teacher cannot be used.
        CacheError: ``out`` holds a cache and ``resume`` is False, or it was made otherwise, or another
            process writes it.
        ClusterError, MissingDependencyError: The engine cannot be used.
        OutputError: ``out`` cannot be written.
    """
    dataset = datasets.open(settings.data)
    datasets.require_usable(dataset, labels=dataset.has_labels)
    weighting = settle(settings, dataset)
    table = load_table(settings.remap) if settings.remap else None
    teachers = load_teachers(settings, dataset.class_map, table)
    waits = engine.engine == "local" and weighting.measured_on is dataset
    # The engine first, so that a cluster that is not there leaves no empty cache behind.
    with (
        open_engine(engine, settings, table, teachers) as runs,
        CacheWriter(out, _plan(settings, dataset, teachers, weighting, table), resume) as writer,
    ):
        writer.attach("config.yaml", config.to_yaml(settings))
        keeps = waits and _has_space(settings, dataset, writer.scratch)
        runs.keep(KeptProbs(writer.scratch / "probs", dataset, keeps))
        work = Construction(dataset, writer, runs)
        work.settle_weights(weighting)
        work.fill()
    return softlabels.open(out).info


def _plan(
    settings: CacheSettings,
    dataset: Dataset,
    teachers: Sequence[Teacher],
    weighting: Weighting,
    table: Table | None,
) -> CacheInfo:
    return CacheInfo(
        class_map=dataset.class_map,
        teachers=tuple(TeacherRecord(t.spec.model, t.spec.temperature, t.digest) for t in teachers),
        sample_ids=dataset.sample_ids,
        data_digest=dataset.digest(),
        settings={
            "class_weights": weighting.identity,
            "flip": settings.flip,
            "remap": json.dumps(table, sort_keys=True),
            **settings.coding.as_settings(),
        },
    )


def _has_space(settings: CacheSettings, dataset: Dataset, scratch: Path) -> bool:
    """Whether each teacher's probabilities may wait there, two bytes a pixel and class."""
    if settings.scratch is not None:
        return settings.scratch
    height, width = dataset.size(0)
    needed = 2 * len(settings.teachers) * len(dataset) * dataset.class_map.num_classes * height * width
    place = next(folder for folder in (scratch.absolute(), *scratch.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if fits := needed <= free / 2:
        return fits
    say(f"the teachers run twice: keeping their probabilities takes {needed / 1e9:.1f} of {free / 1e9:.1f} GB free")
    return False
