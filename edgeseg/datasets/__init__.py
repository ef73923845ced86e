"""Datasets: layouts on disk, splits, reading and checking."""

from edgeseg.datasets.base import Dataset, Subset, holdout
from edgeseg.datasets.registry import LAYOUTS, open, parse_spec

__all__ = ["LAYOUTS", "Dataset", "Subset", "holdout", "open", "parse_spec"]
