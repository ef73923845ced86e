"""The files of teachers by absolute path, for processes that start in another folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeseg.cluster.node import absolute_data
from edgeseg.teachers.settings import CacheSettings


def absolute_files(settings: CacheSettings) -> CacheSettings:
    """The same settings with absolute paths for models, weights, classes and data."""
    teachers = [
        f"{spec.model if spec.kind == 'factory' else Path(spec.model).absolute()}:{spec.temperature!r}"
        for spec in settings.specs
    ]
    return replace(
        settings,
        teachers=tuple(teachers),
        teacher_weights=tuple(path.absolute() for path in settings.teacher_weights),
        teacher_classes=tuple(path.absolute() for path in settings.teacher_classes),
        data=absolute_data(settings.data),
    )
