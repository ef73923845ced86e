"""Gate figures: is the ensemble better than its members, on the labels of the frames that it teaches with?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import softlabels
from edgeseg.progress import warn
from edgeseg.teachers.weights import confusion


def gate_figures(names: Sequence[str], counts: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Mean and per-class IoU of each teacher and of the ensemble.

    Args:
        names: The M teachers.
        counts: (M + 1, C, C) confusion counts, the ensemble's last.
        classes: C class names.

    Returns:
        Plain data: ``teachers``, a list of model, miou, iou; ``ensemble``, miou and iou, None for a class without
        labeled pixels; ``behind``, where the ensemble loses to its best member: ``overall`` or classes.
    """
    figures = [_figures(c, classes) for c in counts]
    gate = {
        "teachers": [{"model": name, **figure} for name, figure in zip(names, figures, strict=False)],
        "ensemble": figures[-1],
    }
    return {**gate, "behind": [lost.where for lost in softlabels.shortfalls(gate)]}


def warn_of_losses(gate: dict[str, Any]) -> None:
    """Says on stderr where the ensemble loses to its best member, if it does."""
    if lost := softlabels.shortfalls(gate):
        warn(f"the ensemble loses to its best member: {', '.join(map(str, lost))}")


def _figures(counts: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    matrix = confusion(counts)
    iou = {name: _known(x) for name, x in zip(classes, matrix.iou().tolist(), strict=True)}
    return {"miou": _known(matrix.miou()), "iou": iou}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
