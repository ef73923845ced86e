"""The teachers in this process, one frame after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets import Dataset
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.teacher import Teacher
from edgeseg.teachers.teacher_set import MixedFrame, TeacherSet


class LocalEngine:
    """See ``Engine``.

    Args:
        teachers: The loaded teachers.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = TeacherSet(teachers)

    def keep(self, kept: KeptProbs) -> None:
        """See ``Engine.keep``."""
        self._teachers.kept = kept

    def count(self, dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """See ``Engine.count``."""
        for index in indices:
            yield index, self._teachers.count(dataset, index)

    def mix(self, dataset: Dataset, indices: Sequence[int], info: CacheInfo) -> Iterator[tuple[int, MixedFrame]]:
        """See ``Engine.mix``."""
        for index in indices:
            yield index, self._teachers.mix(dataset, index, info)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""
