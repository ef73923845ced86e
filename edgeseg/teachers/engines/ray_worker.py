"""What runs in a worker process of a Ray cluster; imported there, so it does not import Ray itself."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgeseg import __version__, datasets
from edgeseg.cluster.node import naming_node, require_version
from edgeseg.datasets import Dataset
from edgeseg.errors import ClusterError
from edgeseg.remap import Table
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.loading import load_teachers
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher
from edgeseg.teachers.teacher_set import MixedFrame, TeacherSet


class TeacherWorker:
    """One set of teachers.

    Args:
        settings: From which they are loaded, with absolute paths.
        table: Teacher's class name → dataset's, see ``load_teachers``.
        digests: Of the teachers where the cache is written.
        version: Of this package there.
    """

    def __init__(
        self, settings: CacheSettings, table: Table | None, digests: list[str], version: str = __version__
    ) -> None:
        self._settings = settings
        self._table = table
        self._digests = digests
        self._version = version
        self._teachers = TeacherSet(())

    def load(self) -> None:
        """Loads the teachers; apart from the constructor, so that its errors come back whole.

        Raises:
            ClusterError: Version or teachers are not those of the machine that writes the cache.
            ConfigError, ModelError: A teacher cannot be used on this machine.
        """
        with naming_node():
            require_version(self._version)
            dataset = _open(self._settings.data)
            teachers = load_teachers(self._settings, dataset.class_map, self._table)
            for teacher, digest in zip(teachers, self._digests, strict=True):
                _require_same(teacher, digest)
            self._teachers = TeacherSet(teachers)

    def count(self, data: str, index: int) -> NDArray[np.int64]:
        """See ``TeacherSet.count``."""
        with naming_node():
            return self._teachers.count(_open(data), index)

    def mix(self, data: str, index: int, info: CacheInfo) -> MixedFrame:
        """See ``TeacherSet.mix``."""
        with naming_node():
            return self._teachers.mix(_open(data), index, info)


@lru_cache(maxsize=2)
def _open(data: str) -> Dataset:
    return datasets.open(data)


def _require_same(teacher: Teacher, digest: str) -> None:
    if teacher.digest != digest:
        raise ClusterError(
            f"teacher {teacher.spec.model} is another one here ({teacher.digest[:12]}… instead of {digest[:12]}…); "
            "copy the same file to every node"
        )
