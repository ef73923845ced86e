"""Filling a cache: the frames that are not there yet, computed and written."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets import Dataset
from edgeseg.errors import OutputError
from edgeseg.progress import track
from edgeseg.softlabels import CacheWriter
from edgeseg.teachers.engines import Engine
from edgeseg.teachers.gate import gate_figures, warn_of_losses
from edgeseg.teachers.kept import Tally
from edgeseg.teachers.teacher_set import MixedFrame
from edgeseg.teachers.weighting import Weighting
from edgeseg.teachers.weights import ClassWeights, iou_weights


class Construction:
    """The one writer of a cache and the engine that it takes frames from.

    Args:
        dataset: The frames.
        writer: Of the cache.
        engine: Runs the teachers.
    """

    def __init__(self, dataset: Dataset, writer: CacheWriter, engine: Engine) -> None:
        self._dataset = dataset
        self._writer = writer
        self._engine = engine
        self._measured = Tally(writer.scratch / "measured")
        self._mixed = Tally(writer.scratch / "mixed")

    def settle_weights(self, weighting: Weighting) -> None:
        """Sees to it that the cache has class weights; what an earlier run measured is not measured again."""
        if not self._writer.info.class_weights:
            self._writer.set_class_weights(
                weighting.fixed or self._measure(weighting.measured_on or self._dataset),
            )

    def fill(self, broken: Collection[str] = ()) -> None:
        """Computes every frame that is missing or damaged, then marks the cache complete.

        Args:
            broken: Sample ids of frames to compute again though they look whole.
        """
        ids = self._dataset.sample_ids
        todo = [index for index, sample_id in enumerate(ids) if sample_id in broken or not self._is_done(sample_id)]
        mixed = self._engine.mix(self._dataset, todo, self._writer.info)
        for index, frame in track(mixed, "caching soft labels", len(todo), len(ids) - len(todo)):
            self._write(ids[index], frame)
        gate = dict(self._writer.info.gate) if self._writer.info.complete else self._gate()
        self._writer.finish(gate)
        warn_of_losses(gate)

    def _measure(self, on: Dataset) -> ClassWeights:
        todo = [index for index, sample_id in enumerate(on.sample_ids) if not self._measured.has(sample_id)]
        counted = self._engine.count(on, todo)
        for index, counts in track(counted, "measuring class weights", len(todo), len(on) - len(todo)):
            self._measured.put(on.sample_ids[index], counts)
        return iou_weights(self._measured.total(on.sample_ids))

    def _is_done(self, sample_id: str) -> bool:
        counted = self._writer.info.complete or not self._dataset.has_labels or self._mixed.has(sample_id)
        return counted and self._writer.has(sample_id)

    def _write(self, sample_id: str, mixed: MixedFrame) -> None:
        if mixed.counts is not None:
            self._mixed.put(sample_id, mixed.counts)
        # Last, so that a frame that is there has been counted.
        try:
            self._writer.put_encoded(sample_id, mixed.frame)
        except OutputError as error:
            raise OutputError(f"{sample_id}: {error}") from None

    def _gate(self) -> dict[str, Any]:
        if not self._dataset.has_labels:
            return {}
        counts: NDArray[np.int64] = self._mixed.total(self._dataset.sample_ids)
        models = [teacher.model for teacher in self._writer.info.teachers]
        return gate_figures(models, counts, self._dataset.class_map.names)
