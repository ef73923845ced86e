"""Scatter plots side by side in one PNG: what a value does over each of several settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import require
from edgeseg.files import atomic_path
from edgeseg.report.plots import COLORS, mark_log

_COLUMNS = 3


@dataclass(frozen=True)
class Panel:
    """One scatter plot.

    Attributes:
        x_label: Name of the x axis, with its unit.
        x: Numbers, or texts that stand beside each other in the order of their first appearance.
        y: As many values.
        spread: Half the length of each point's error bar; 0 draws none.
        log: Logarithmic x axis.
    """

    x_label: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    spread: Sequence[float]
    log: bool = False


def write_panels(path: Path, panels: Sequence[Panel], y_label: str, title: str) -> None:
    """Draws the panels in rows of three; the highest value of each stands out.

    Args:
        path: The PNG.
        panels: One or more, of equal y.
        y_label: Name of their y axes, with its unit.
        title: Above all of them.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        OutputError: The place cannot be written.
    """
    columns = min(len(panels), _COLUMNS)
    rows = math.ceil(len(panels) / columns)
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(3.4 * columns, 3.0 * rows + 0.4), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _scatter(axes, panel)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(y_label)
    figure.suptitle(title, fontsize=11)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=144, metadata={"Software": None})


def _scatter(axes: Any, panel: Panel) -> None:
    errors = panel.spread if any(panel.spread) else None
    axes.errorbar(panel.x, panel.y, errors, fmt="o", ms=5, color=COLORS[0], ecolor=COLORS[0], alpha=0.75, elinewidth=1)
    best = max(range(len(panel.y)), key=panel.y.__getitem__)
    axes.plot([panel.x[best]], [panel.y[best]], "o", ms=8, color=COLORS[1], zorder=5)
    axes.set_xlabel(panel.x_label)
    axes.ticklabel_format(axis="y", useOffset=False)
    if panel.log:
        axes.set_xscale("log")
        mark_log(axes.xaxis)
    axes.grid(alpha=0.18)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
