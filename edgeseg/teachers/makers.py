"""The teachers that a cache was made by, loaded again with the cache's own settings."""

from __future__ import annotations

import json
from dataclasses import replace

from edgeseg.remap import Table
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.loading import load_teachers
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher


def settings_of(info: CacheInfo, settings: CacheSettings) -> CacheSettings:
    """Settings that name teachers and data, with the mirroring of a cache."""
    return replace(settings, flip=bool(info.settings.get("flip", False)))


def table_of(info: CacheInfo) -> Table | None:
    """The remapping that a cache was made with."""
    table: Table | None = json.loads(info.settings.get("remap", "null"))
    return table


def load_makers(info: CacheInfo, settings: CacheSettings) -> list[Teacher]:
    """Loads the teachers that ``settings`` names, mirrored and remapped as those of the cache.

    Raises:
        ConfigError, ModelError: A teacher cannot be used.
    """
    return load_teachers(settings_of(info, settings), info.class_map, table_of(info))
