"""Engines: where the teachers run. ``local`` is this process, ``ray`` the workers of a Ray cluster."""

from edgeseg.teachers.engines.base import Engine
from edgeseg.teachers.engines.choice import open_engine

__all__ = ["Engine", "open_engine"]
