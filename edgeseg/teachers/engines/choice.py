"""From settings to an engine."""

from __future__ import annotations

from collections.abc import Sequence

from edgeseg.cluster import EngineSettings
from edgeseg.remap import Table
from edgeseg.teachers.engines.base import Engine
from edgeseg.teachers.engines.local import LocalEngine
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher


def open_engine(
    choice: EngineSettings,
    settings: CacheSettings,
    table: Table | None,
    teachers: Sequence[Teacher],
) -> Engine:
    """Makes the engine of ``choice``.

    Args:
        choice: Which one.
        settings: From which its workers load the teachers.
        table: Teacher's class name → dataset's, see ``load_teachers``.
        teachers: The teachers as they were loaded here; workers must find the same.

    Raises:
        ClusterError: No Ray cluster answers, or it has no worker.
        MissingDependencyError: Ray is not installed.
    """
    if choice.engine == "local":
        return LocalEngine(teachers)
    from edgeseg.teachers.engines.ray import RayEngine

    return RayEngine(settings, table, [teacher.digest for teacher in teachers], choice.address)
