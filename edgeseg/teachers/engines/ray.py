"""The teachers on the workers of a Ray cluster; frames go out by number and come back encoded.

Every node needs this package in the same version, the modules of ``package.module:factory`` teachers, and the
teachers' files and the dataset under the paths that they have here. A worker is an actor with one set of teachers and,
where the cluster has GPUs, one of them. Ray starts it again when it dies or its node does; the frame that it was at
goes to the next free worker, all others are untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.cluster.connection import connect
from edgeseg.cluster.node import absolute_data
from edgeseg.cluster.pool import Pool
from edgeseg.datasets import Dataset
from edgeseg.remap import Table
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.engines.places import absolute_files
from edgeseg.teachers.engines.ray_worker import TeacherWorker
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher_set import MixedFrame


class RayEngine:
    """See ``Engine``.

    Args:
        settings: From which the workers load their teachers.
        table: Teacher's class name → dataset's, see ``load_teachers``.
        digests: Of the teachers as they are here; a worker that finds others is refused.
        address: Of the cluster, see ``EngineSettings``.

    Raises:
        ClusterError: No cluster answers, or it has neither CPUs nor GPUs.
        MissingDependencyError: Ray is not installed.
    """

    def __init__(
        self, settings: CacheSettings, table: Table | None, digests: Sequence[str], address: str | None
    ) -> None:
        self._cluster = connect(address)
        self._pool = Pool(
            self._cluster, TeacherWorker, (absolute_files(settings), table, list(digests)), "the teachers"
        )

    def keep(self, kept: KeptProbs) -> None:
        """Nothing: a frame may be counted on one machine and mixed on another."""

    def count(self, dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """See ``Engine.count``."""
        spec = absolute_data(dataset.spec)
        return self._spread(dataset, indices, "count", lambda index: (spec, index))

    def mix(self, dataset: Dataset, indices: Sequence[int], info: CacheInfo) -> Iterator[tuple[int, MixedFrame]]:
        """See ``Engine.mix``."""
        spec, shared = absolute_data(dataset.spec), self._cluster.ray.put(info)
        return self._spread(dataset, indices, "mix", lambda index: (spec, index, shared))

    def _spread(
        self, dataset: Dataset, indices: Sequence[int], method: str, arguments: Callable[[int], tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        return self._pool.run(indices, method, arguments, lambda index: dataset.sample_ids[index])

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the workers, and the connection if it was made here."""
        self._pool.close()
        self._cluster.close()
