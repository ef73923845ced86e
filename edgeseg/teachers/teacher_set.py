"""All teachers of an ensemble on one frame: what one worker computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError, ModelError
from edgeseg.metrics import ConfusionMatrix
from edgeseg.softlabels import CacheInfo, EncodedFrame, encode_frame
from edgeseg.teachers.ensemble import combine
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.teacher import Teacher


@dataclass(frozen=True)
class MixedFrame:
    """A frame of the cache; plain data that may travel between processes.

    Attributes:
        frame: The ensemble's soft labels, encoded.
        counts: (M + 1, C, C) confusion counts of each teacher and of the ensemble, None where there is no label.
    """

    frame: EncodedFrame
    counts: NDArray[np.int64] | None


class TeacherSet:
    """The teachers of an ensemble, loaded.

    Args:
        teachers: The M teachers, in the cache's order.

    Attributes:
        kept: Where probabilities wait between counting and mixing, None where they do not.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = teachers
        self.kept: KeptProbs | None = None

    def count(self, dataset: Dataset, index: int) -> NDArray[np.int64]:
        """Confusion counts (M, C, C) of a labeled frame.

        Raises:
            DataError, ModelError: The frame, its label or a teacher cannot be used; the message names the frame.
            OutputError: The probabilities cannot be kept.
        """
        with _naming(dataset.sample_ids[index]):
            probs = self._probs(dataset, index)
            if self.kept:
                self.kept.put(dataset, index, probs)
            return _counts(dataset.label(index), probs)

    def mix(self, dataset: Dataset, index: int, info: CacheInfo) -> MixedFrame:
        """The ensemble's soft labels of a frame, with the class weights of ``info``.

        Raises:
            CacheError, DataError, ModelError: As of ``count``; also where the mixture is no probability.
        """
        with _naming(dataset.sample_ids[index]):
            probs = self._probs(dataset, index)
            mixed = combine(probs, torch.tensor(info.class_weights))
            counts = _counts(dataset.label(index), [*probs, mixed]) if dataset.has_labels else None
            return MixedFrame(encode_frame(mixed.numpy(), info), counts)

    def _probs(self, dataset: Dataset, index: int) -> list[Tensor]:
        """M tensors (C, H, W) float16 on the CPU.

        Half precision costs less than 1e-6 nats, halves the way from the GPU, and, since it is taken whether or
        not probabilities are kept on disk, leaves the cache's bytes the same.
        """
        kept = self.kept.get(dataset, index) if self.kept else None
        if kept is not None:
            return kept
        image = dataset.image(index)
        height, width = image.shape[:2]
        return [teacher.probs(image, height, width).half().cpu() for teacher in self._teachers]


@contextmanager
def _naming(sample_id: str) -> Iterator[None]:
    try:
        yield
    except (CacheError, ModelError) as error:
        raise type(error)(f"{sample_id}: {error}") from None


def _counts(label: NDArray[np.uint8], probs: Sequence[Tensor]) -> NDArray[np.int64]:
    counted = []
    for p in probs:
        matrix = ConfusionMatrix(p.shape[0])
        matrix.update(label, p.float().argmax(dim=0).to(torch.uint8).numpy())
        counted.append(matrix.counts)
    return np.stack(counted)
