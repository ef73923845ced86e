"""Class weights c_k^i of eq. 4.1: measured, equal, or read from a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import ClassMap
from edgeseg.config import read_mapping
from edgeseg.errors import ConfigError
from edgeseg.metrics import ConfusionMatrix

ClassWeights = tuple[tuple[float, ...], ...]
"""(M, C) weights, one row a teacher."""


def equal_weights(teachers: int, classes: int) -> ClassWeights:
    """The same weight for every teacher and class."""
    return ((1.0,) * classes,) * teachers


def iou_weights(counts: NDArray[np.int64]) -> ClassWeights:
    """Each teacher's IoU of each class; 0 where no pixel has that label, which falls back to equal weights.

    Args:
        counts: (M, C, C) confusion matrices, label by prediction.
    """
    return tuple(tuple(np.nan_to_num(confusion(c).iou(), nan=0.0).tolist()) for c in counts)


def confusion(counts: NDArray[np.int64]) -> ConfusionMatrix:
    """A confusion matrix from its counts (C, C)."""
    matrix = ConfusionMatrix(len(counts))
    matrix.counts += counts
    return matrix


def read_weights(path: Path, teachers: int, class_map: ClassMap) -> ClassWeights:
    """Reads weights from YAML or JSON: ``class_weights``, one mapping of class name to weight for each teacher.

    The report of ``edgeseg cache info --json`` is such a file.

    Raises:
        ConfigError: The file is missing or malformed, or does not have every teacher and class.
    """
    rows = read_mapping(path).get("class_weights")
    if not isinstance(rows, list) or len(rows) != teachers or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(
            f"{path}: must hold class_weights, a list of {teachers} mappings of class name to weight, one a teacher"
        )
    return tuple(_row(path, number, row, class_map.names) for number, row in enumerate(rows, 1))


def _row(path: Path, number: int, row: dict[str, Any], names: Sequence[str]) -> tuple[float, ...]:
    if set(row) != set(names):
        missing, unknown = sorted(set(names) - set(row)), sorted(map(str, set(row) - set(names)))
        raise ConfigError(f"{path}: class weights of teacher {number} lack {missing} and name unknown {unknown}")
    if not all(isinstance(w, int | float) and math.isfinite(w) and w >= 0 for w in row.values()):
        raise ConfigError(f"{path}: class weights of teacher {number} must be numbers of at least 0, got {row}")
    return tuple(float(row[name]) for name in names)
