"""Datasets: layouts on disk, splits, reading and checking."""

from edgeseg.datasets.base import Dataset, Subset, holdout
from edgeseg.datasets.check import CheckReport, check
from edgeseg.datasets.inspection import LabelStatistics
from edgeseg.datasets.registry import LAYOUTS, open, parse_spec
from edgeseg.datasets.usable import label_statistics, require_usable

__all__ = [
    "LAYOUTS",
    "CheckReport",
    "Dataset",
    "LabelStatistics",
    "Subset",
    "check",
    "holdout",
    "label_statistics",
    "open",
    "parse_spec",
    "require_usable",
]
