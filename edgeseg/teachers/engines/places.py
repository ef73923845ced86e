"""Files and datasets by absolute path, for processes that start in another folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from edgeseg.datasets import parse_spec
from edgeseg.teachers.settings import CacheSettings


def absolute_data(spec: str) -> str:
    """The same dataset, ``LAYOUT:PATH[#SPLIT]``, with an absolute path; what is drawn has no path."""
    layout = parse_spec(spec)[0]
    if layout == "synthetic":
        return spec
    # Joined as text, since what follows the last # is no part of the path and must stay as it is.
    return f"{layout}:{os.path.join(Path.cwd(), spec.partition(':')[2])}"  # noqa: PTH118


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
