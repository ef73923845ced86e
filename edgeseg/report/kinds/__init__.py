"""Kinds of runs that a report is made of; each is recognised by what lies there, never by its name.

One more kind is one more file with a ``Kind``, and one line in ``KINDS``.
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.errors import DataError
from edgeseg.report.kinds.active import ActiveKind
from edgeseg.report.kinds.base import Course, Found, Kind, Run
from edgeseg.report.kinds.bench import BenchKind
from edgeseg.report.kinds.cache import CacheKind
from edgeseg.report.kinds.cache_check import CacheCheckKind
from edgeseg.report.kinds.drive import DriveKind
from edgeseg.report.kinds.evaluation import EvaluationKind
from edgeseg.report.kinds.export import ExportKind
from edgeseg.report.kinds.parity import ParityKind
from edgeseg.report.kinds.replay import ReplayKind
from edgeseg.report.kinds.sweep import SweepKind
from edgeseg.report.kinds.training import TrainingKind

KINDS: tuple[Kind, ...] = (
    SweepKind(),
    TrainingKind(),
    CacheKind(),
    CacheCheckKind(),
    ExportKind(),
    ParityKind(),
    BenchKind(),
    EvaluationKind(),
    DriveKind(),
    ReplayKind(),
    ActiveKind(),
)
"""In the order in which they are asked."""

__all__ = ["KINDS", "Course", "Found", "Kind", "Run", "read_run"]


def read_run(path: Path) -> Run:
    """Reads a run of whatever kind.

    Raises:
        DataError: Nothing is there, it is of no known kind, or it is damaged.
        MissingDependencyError: A package that the plots need is not installed.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; name what a command of edgeseg wrote")
    found = Found(path)
    kind = next((kind for kind in KINDS if kind.recognises(found)), None)
    if kind is None:
        known = "; ".join(f"{kind.name} ({kind.looks_like})" for kind in KINDS)
        raise DataError(f"{path}: is no run that a report can be made of. Known are: {known}")
    try:
        return kind.read(found)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: looks like {kind.name}, but cannot be read ({type(error).__name__}: {error}); was it edited, or "
            "written by another version?"
        ) from None
