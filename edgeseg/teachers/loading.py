"""From settings to loaded teachers."""

from __future__ import annotations

import torch

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError
from edgeseg.remap import Table
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher, load_teacher


def load_teachers(settings: CacheSettings, class_map: ClassMap, table: Table | None) -> list[Teacher]:
    """Loads every teacher of the settings.

    Args:
        settings: Specs, files, mirroring and device; data and class weights play no part.
        class_map: The student's classes.
        table: Teacher's class name → student's, or None for identical names or a shipped table.

    Raises:
        ConfigError: A spec, a classes file, the table or the device cannot be used.
        ModelError: A model cannot be used.
    """
    weights, classes = list(settings.teacher_weights), list(settings.teacher_classes)
    device = _device(settings.device)
    teachers = []
    for spec in settings.specs:
        factory = spec.kind == "factory"
        teachers.append(
            load_teacher(
                spec,
                class_map,
                device,
                settings.flip,
                weights.pop(0) if factory and weights else None,
                (classes.pop(0) if len(classes) > 1 else classes[0]) if factory else None,
                table,
            )
        )
    return teachers


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} cannot be used ({error}); write cpu, cuda or auto") from None
    return name
