"""Runs of one kind side by side: what differs in their settings, and in their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeseg.report import plots
from edgeseg.report.kinds import Run
from edgeseg.report.kinds.base import flat, shown, unique
from edgeseg.report.page import Block, Cell, Figure, Section, Table


def side_by_side(runs: Sequence[Run]) -> Section:
    """The section that holds runs of one kind against each other.

    Args:
        runs: At least two of one kind; the first is the one that the others are held against.
    """
    names = unique([run.name for run in runs])
    blocks: list[Block] = [_figures(runs, names), *_settings(runs, names), *_courses(runs, names)]
    return Section("Side by side", f"All held against {names[0]}.", tuple(blocks))


def not_comparable(runs: Sequence[Run]) -> Iterator[str]:
    """Why figures of runs of one kind may not be compared, one sentence each."""
    names = unique([run.name for run in runs])
    for key in dict.fromkeys(key for run in runs for key in run.basis):
        values = [run.basis.get(key, "unknown") for run in runs]
        if len(set(values)) > 1:
            told = "; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
            yield f"the runs differ in {key}, so their figures must not be compared as they stand ({told})"
        elif values[0] in ("unknown", "–"):
            yield f"{key} of the runs is not known; compare their figures only if you know it to be the same"


def _figures(runs: Sequence[Run], names: Sequence[str]) -> Table:
    keys = dict.fromkeys(key for run in runs for key in run.figures)
    values = {key: [run.figures.get(key) for run in runs] for key in keys}
    if len(runs) != 2:
        return Table(("figure", *names), tuple((key, *row) for key, row in values.items()), "Figures", decimals=4)
    rows = tuple((key, first, second, _difference(first, second)) for key, (first, second) in values.items())
    return Table(("figure", *names, "difference"), rows, "Figures", decimals=4)


def _difference(first: float | None, second: float | None) -> str | None:
    if first is None or second is None:
        return None
    gap = second - first
    share = f" ({gap / abs(first):+.1%})" if first else ""
    return f"{gap:+.4g}{share}"


def _settings(runs: Sequence[Run], names: Sequence[str]) -> Iterator[Table]:
    plain = [flat(run.settings) for run in runs]
    keys = dict.fromkeys(key for settings in plain for key in settings)
    if not keys:
        return
    rows: list[tuple[Cell, ...]] = []
    for key in keys:
        values = [shown(settings[key]) if key in settings else "not there" for settings in plain]
        if len(set(values)) > 1:
            rows.append((key, *values))
    caption = f"Settings that differ, {len(rows)} of {len(keys)}" if rows else f"All {len(keys)} settings are the same"
    yield Table(("setting", *names), tuple(rows), caption)


def _courses(runs: Sequence[Run], names: Sequence[str]) -> Iterator[Figure]:
    labels = dict.fromkeys((course.x_label, course.y_label) for run in runs for course in run.courses)
    for x_label, y_label in labels:
        series = {
            name: (course.x, course.y)
            for name, run in zip(names, runs, strict=True)
            for course in run.courses
            if course.y_label == y_label
        }
        if len(series) > 1:
            yield plots.curves(series, x_label, y_label, f"{y_label} of the runs by {x_label}", y_label)
