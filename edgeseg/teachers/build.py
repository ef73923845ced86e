"""Building the cache: measure the class weights, mix the teachers, keep every frame once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edgeseg import config, datasets, softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError
from edgeseg.progress import say, track
from edgeseg.remap import load_table
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord
from edgeseg.teachers.ensemble import combine
from edgeseg.teachers.gate import gate_figures, print_gate
from edgeseg.teachers.runs import Tally, TeacherRuns
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher, load_teacher
from edgeseg.teachers.weighting import Weighting, settle
from edgeseg.teachers.weights import ClassWeights, iou_weights


def build_cache(settings: CacheSettings, out: Path, resume: bool = False) -> CacheInfo:
    """Runs the teachers over a dataset and keeps their mixed soft labels.

    The class weights must be known before anything can be mixed. Where they are measured on the frames that
    are cached, the teachers' probabilities wait in a scratch folder inside ``out``, so that no teacher sees
    a frame twice, if there is space for it (``settings.scratch``). Killed at any moment, the build goes on
    with ``resume`` where it stopped, and ends with the same bytes as one that was never interrupted.

    Args:
        settings: Teachers, dataset and how they are mixed.
        out: The cache's folder.
        resume: Whether a cache that is there is continued; frames that are damaged are computed again.

    Returns:
        What the finished cache holds.

    Raises:
        ConfigError: A setting cannot be used.
        DataError, ModelError: The dataset or a teacher cannot be used.
        CacheError: ``out`` holds a cache and ``resume`` is False, or it was made otherwise, or another
            process writes it.
        OutputError: ``out`` cannot be written.
    """
    dataset = datasets.open(settings.data)
    datasets.require_usable(dataset, labels=dataset.has_labels)
    weighting = settle(settings, dataset)
    teachers = load_teachers(settings, dataset)
    scratch = weighting.measured_on is dataset and _has_space(settings, dataset, out)
    with CacheWriter(out, _plan(settings, dataset, teachers, weighting, scratch), resume) as writer:
        config.write(settings, out / "config.yaml")
        _Build(dataset, teachers, weighting, writer).run()
    return softlabels.open(out).info


def load_teachers(settings: CacheSettings, dataset: Dataset) -> list[Teacher]:
    """Loads every teacher of the settings.

    Raises:
        ConfigError: A spec, a classes file or the remapping cannot be used.
        ModelError: A model cannot be used.
    """
    weights, classes = list(settings.teacher_weights), list(settings.teacher_classes)
    table = load_table(settings.remap) if settings.remap else None
    device = _device(settings.device)
    teachers = []
    for spec in settings.specs:
        factory = spec.kind == "factory"
        teachers.append(
            load_teacher(
                spec,
                dataset.class_map,
                device,
                settings.flip,
                weights.pop(0) if factory and weights else None,
                (classes.pop(0) if len(classes) > 1 else classes[0]) if factory else None,
                table,
            )
        )
    return teachers


class _Build:
    def __init__(
        self,
        dataset: Dataset,
        teachers: Sequence[Teacher],
        weighting: Weighting,
        writer: CacheWriter,
    ) -> None:
        self.dataset = dataset
        self.teachers = teachers
        self.weighting = weighting
        self.writer = writer
        self.runs = TeacherRuns(teachers, dataset, writer.scratch / "data", writer.info.scratch)
        self.mixed = Tally(writer.scratch / "ensemble")

    def run(self) -> None:
        if not self.writer.info.class_weights:
            self.writer.set_class_weights(self._class_weights())
        weights = torch.tensor(self.writer.info.class_weights)
        missing = [i for i, sample_id in enumerate(self.dataset.sample_ids) if not self.writer.has(sample_id)]
        for index in track(missing, "caching soft labels", done=len(self.dataset) - len(missing)):
            self._mix(index, weights)
        gate = dict(self.writer.info.gate) if self.writer.info.complete else self._gate()
        self.writer.finish(gate)
        if gate:
            print_gate(gate)

    def _class_weights(self) -> ClassWeights:
        if self.weighting.fixed is not None:
            return self.weighting.fixed
        on = self.weighting.measured_on or self.dataset
        runs = (
            self.runs if on is self.dataset else TeacherRuns(self.teachers, on, self.writer.scratch / "weights", False)
        )
        return iou_weights(runs.counts("measuring class weights"))

    def _mix(self, index: int, weights: torch.Tensor) -> None:
        mixed = combine(self.runs.probs(index), weights)
        sample_id = self.dataset.sample_ids[index]
        if self.dataset.has_labels:
            self.mixed.put(sample_id, self.dataset.label(index), [mixed])
        # Last, so that a frame that is there has been counted.
        self.writer.put(sample_id, mixed.numpy())

    def _gate(self) -> dict[str, Any]:
        if not self.dataset.has_labels:
            return {}
        ensemble = self.mixed.total(self.dataset.sample_ids)
        counts = torch.cat([torch.from_numpy(c) for c in (self.runs.counts("counting"), ensemble)]).numpy()
        return gate_figures([t.spec.model for t in self.teachers], counts, self.dataset.class_map.names)


def _plan(
    settings: CacheSettings, dataset: Dataset, teachers: Sequence[Teacher], weighting: Weighting, scratch: bool
) -> CacheInfo:
    table = load_table(settings.remap) if settings.remap else None
    return CacheInfo(
        class_map=dataset.class_map,
        teachers=tuple(TeacherRecord(t.spec.model, t.spec.temperature, t.digest) for t in teachers),
        sample_ids=dataset.sample_ids,
        data_digest=dataset.digest(),
        settings={
            "class_weights": weighting.identity,
            "flip": settings.flip,
            "remap": json.dumps(table, sort_keys=True),
        },
        scratch=scratch,
    )


def _has_space(settings: CacheSettings, dataset: Dataset, out: Path) -> bool:
    """Whether each teacher's probabilities may wait in ``out``, at worst two bytes a pixel and class."""
    if settings.scratch is not None:
        return settings.scratch
    height, width = dataset.size(0)
    needed = 2 * len(settings.teachers) * len(dataset) * dataset.class_map.num_classes * height * width
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if fits := needed <= free / 2:
        return fits
    say(f"the teachers run twice: keeping their probabilities may take {needed / 1e9:.1f} of {free / 1e9:.1f} GB free")
    return False


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} cannot be used ({error}); write cpu, cuda or auto") from None
    return name
