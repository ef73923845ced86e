"""What an engine does: run the teachers over frames, wherever that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets import Dataset
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.teacher_set import MixedFrame


class Engine(Protocol):
    """Runs a set of teachers over frames; a context manager. Frames come back in any order, each once."""

    def keep(self, kept: KeptProbs) -> None:
        """Lets probabilities wait between counting and mixing, where the engine can; otherwise teachers run twice."""

    def count(self, dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Index and confusion counts (M, C, C) of each labeled frame."""

    def mix(self, dataset: Dataset, indices: Sequence[int], info: CacheInfo) -> Iterator[tuple[int, MixedFrame]]:
        """Index and soft labels of each frame, mixed with the class weights of ``info``."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
