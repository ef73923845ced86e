"""Gate figures: is the ensemble better than its members, on the labels of the frames that it teaches with?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from edgeseg import progress
from edgeseg.teachers.weights import confusion


def gate_figures(names: Sequence[str], counts: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Mean and per-class IoU of each teacher and of the ensemble.

    Args:
        names: The M teachers.
        counts: (M + 1, C, C) confusion counts, the ensemble's last.
        classes: C class names.

    Returns:
        Plain data: ``teachers``, a list of model, miou, iou; ``ensemble``, miou and iou. A class without
        labeled pixels is None.
    """
    figures = [_figures(c, classes) for c in counts]
    return {
        "teachers": [{"model": name, **figure} for name, figure in zip(names, figures, strict=False)],
        "ensemble": figures[-1],
    }


def print_gate(gate: dict[str, Any]) -> None:
    """Prints the figures as a table on stderr, in percent."""
    table = Table("IoU, %", title="On the labels of the cached frames", title_justify="left")
    columns = [*gate["teachers"], {"model": "ensemble", **gate["ensemble"]}]
    for column in columns:
        table.add_column("/".join(Path(column["model"]).parts[-2:]), justify="right")
    for name in gate["ensemble"]["iou"]:
        table.add_row(name, *(_percent(column["iou"][name]) for column in columns))
    table.add_section()
    table.add_row("mean", *(_percent(column["miou"]) for column in columns))
    progress.console().print(table)


def _figures(counts: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    matrix = confusion(counts)
    iou = {name: _known(x) for name, x in zip(classes, matrix.iou().tolist(), strict=True)}
    return {"miou": _known(matrix.miou()), "iou": iou}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
