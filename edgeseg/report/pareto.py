"""Latency against mIoU: which models nothing else beats in both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import DataError, require
from edgeseg.files import atomic_path
from edgeseg.report.plots import COLORS

SUFFIXES = (".png", ".svg")


@dataclass(frozen=True)
class Point:
    """One model on one runtime.

    Attributes:
        name: What stands beside the point.
        latency_ms: Median.
        spread_ms: Up to the 99th percentile.
        miou: In 0 to 1.
        group: Points of one group have one colour.
    """

    name: str
    latency_ms: float
    spread_ms: float
    miou: float
    group: str


def points_of(reports: Iterable[dict[str, Any]]) -> list[Point]:
    """The rows of benchmark reports, in their plain form, that have both a latency and an mIoU."""
    return [
        Point(
            f"{Path(row['model']).stem} {row['backend']}" + _threads(row["threads"]),
            row["latency_ms"]["p50"],
            max(row["p99_minus_p50_ms"] or 0.0, 0.0),
            row["miou"],
            str(row["backend"]),
        )
        for report in reports
        for row in report["rows"]
        if row["latency_ms"] is not None and row["miou"] is not None
    ]


def _threads(count: int | None) -> str:
    return "" if count is None else f", {count} thread{'s' * (count > 1)}"


def frontier(points: Sequence[Point]) -> list[Point]:
    """Points that no other is at least as quick and as good as, and better in one; quickest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.latency_ms, -p.miou)):
        if not kept or point.miou > kept[-1].miou:
            kept.append(point)
    return kept


def write_pareto(path: Path, points: Sequence[Point]) -> None:
    """Draws the points, a bar to each one's 99th percentile, and a step through those that nothing beats.

    Args:
        path: ``.png`` or ``.svg``.
        points: At least one.

    Raises:
        DataError: There is no point, or the suffix is another.
        MissingDependencyError: matplotlib is not installed.
        OutputError: The place cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"--plot {path}: name a {' or '.join(SUFFIXES)}")
    if not points:
        raise DataError("--plot: no row has both a latency and an mIoU; give --data with labels")
    figure = require("matplotlib.figure", "report").Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for position, group in enumerate(dict.fromkeys(point.group for point in points)):
        _scatter(axes, [p for p in points if p.group == group], COLORS[position % len(COLORS)], group)
    best = frontier(points)
    axes.step([p.latency_ms for p in best], [100 * p.miou for p in best], where="post", color="0.5", lw=1, zorder=0)
    axes.set_xlabel("latency, ms (median; bar: to the 99th percentile)")
    axes.set_ylabel("mIoU, %")
    axes.grid(alpha=0.18)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_path(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=144, metadata=_without_date(path.suffix))


def _scatter(axes: Any, points: list[Point], color: str, label: str) -> None:
    x, y = [p.latency_ms for p in points], [100 * p.miou for p in points]
    spread = [[0.0] * len(points), [p.spread_ms for p in points]]
    axes.errorbar(x, y, xerr=spread, fmt="o", ms=6, color=color, ecolor=color, elinewidth=1, label=label)
    for point, right, up in zip(points, x, y, strict=True):
        axes.annotate(point.name, (right, up), xytext=(5, 5), textcoords="offset points", fontsize=8)


def _without_date(suffix: str) -> dict[str, None]:
    """So that the same figures give the same file."""
    return {"Date": None} if suffix == ".svg" else {"Software": None}
