"""Plots as inline SVG that takes the page's own text colour, so that it reads in light and in dark."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgeseg.errors import require
from edgeseg.files import digest_text
from edgeseg.report.page import Figure, Mark

_INK = "#010203"
"""Stands for the page's text colour while matplotlib draws."""
COLORS = ("#2f86c5", "#d8602a", "#1f9e77", "#c46aa0", "#dba000", "#7d6fd0")
"""Distinguishable with the common colour deficiencies, and on light and dark ground."""
_STYLES = ("-", "--", ":")
"""Tell lines of one colour apart."""

_LEGEND_SIGNS = 72
"""Signs that fit into one line of a legend above the axes; a wider one would squeeze them."""
_MOST_MARKS = 2000
"""Points a plot that tell their value; of longer courses evenly spaced ones do."""

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]
Points = list[tuple[int, float, float, str]]
"""Series' number, x and y as they are plotted, and what is told there."""


MOST_INSIDE = 7
"""Lines whose names stand inside of a plot; those of more stand beside it."""


def mark_log(axis: Any) -> None:
    """Marks 1, 2 and 5 of each decade of a logarithmic axis, in plain numbers.

    The range is often less than a decade, and the library's own labels are mathematical text, which an SVG's plain text
    cannot show.
    """
    ticker = require("matplotlib.ticker", "report")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def curves(
    series: Series,
    x_label: str,
    y_label: str,
    alt: str,
    caption: str = "",
    log: bool = False,
    whole: bool = False,
    spreads: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Lines over a common axis.

    Args:
        series: Name → (x values, y values), as many of the one as of the other.
        x_label: Name of the x axis, with its unit.
        y_label: Name of the y axis, with its unit.
        alt: What the plot shows, in words.
        caption: Text beneath it.
        log: Logarithmic y axis.
        whole: Whether x counts something, so that only whole numbers are marked.
        spreads: Name → half the length of each point's error bar; None draws none.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def draw(axes: Any) -> Points:
        for position, (name, (x, y)) in enumerate(series.items()):
            marker = "o" if len(x) < 25 else None
            color, style = COLORS[position % len(COLORS)], _STYLES[position // len(COLORS) % len(_STYLES)]
            bars = spreads.get(name) if spreads and any(spreads.get(name, ())) else None
            drawn = axes.errorbar(x, y, bars, label=name, color=color, ls=style, lw=1.8, marker=marker, ms=3, capsize=2)
            drawn.lines[0].set_gid(f"series-{position}")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.ticklabel_format(useOffset=False)
        axes.xaxis.get_major_locator().set_params(integer=whole)
        if log:
            axes.set_yscale("log")
            mark_log(axes.yaxis)
        if crowded:
            _switches(axes.figure.legend(frameon=False, labelcolor=_INK, loc="outside right upper"))
        elif len(series) > 1:
            _switches(axes.legend(frameon=False, labelcolor=_INK))
        return _told(series, x_label, y_label)

    # So many names would lie on the lines.
    crowded = len(series) > MOST_INSIDE
    return _figure(draw, (9.0, max(3.4, 0.25 * len(series))) if crowded else (7.0, 3.4), alt, caption)


def timeline(
    line: tuple[Sequence[float], Sequence[float]],
    marks: Series,
    x_label: str,
    y_label: str,
    alt: str,
    caption: str = "",
) -> Figure:
    """A course over time, with moments of several kinds marked on it; later kinds are drawn larger and hollow.

    Args:
        line: x values and y values.
        marks: Kind → (x values, y values) of its moments; those without any are left out.
        x_label: Name of the x axis, with its unit.
        y_label: Name of the y axis, with its unit.
        alt: What the plot shows, in words.
        caption: Text beneath it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def draw(axes: Any) -> Points:
        axes.plot(*line, color=_INK, alpha=0.45, lw=0.9)
        for position, (name, (x, y)) in enumerate(marks.items()):
            if len(x):
                color, hollow = COLORS[position % len(COLORS)], position > 0
                face = {"markerfacecolor": "none", "markeredgewidth": 1.3} if hollow else {}
                axes.plot(x, y, "o", ms=4 + 3 * position, color=color, label=f"{name} ({len(x)})", **face)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.ticklabel_format(useOffset=False)
        axes.legend(frameon=False, labelcolor=_INK, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(marks))
        return _told(marks, x_label, y_label)

    return _figure(draw, (9.0, 3.4), alt, caption)


def bars(
    names: Sequence[str], groups: Mapping[str, Sequence[float | None]], x_label: str, alt: str, caption: str = ""
) -> Figure:
    """Horizontal bars, one group of them for each name; None leaves a gap.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def draw(axes: Any) -> Points:
        thickness, points = 0.8 / len(groups), Points()
        for position, (group, values) in enumerate(groups.items()):
            places = [i - 0.4 + thickness * (position + 0.5) for i in range(len(names))]
            lengths = [0.0 if value is None else value for value in values]
            axes.barh(places, lengths, thickness * 0.9, label=group, color=COLORS[position % len(COLORS)])
            shown = zip(names, lengths, places, values, strict=True)
            points += [(0, x, y, _bar_text(group, n, v, len(groups) > 1)) for n, x, y, v in shown]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel(x_label)
        if len(groups) > 1:
            # Above the bars, since none of them leaves a corner free for sure.
            abreast = max(1, _LEGEND_SIGNS // (max(map(len, groups)) + 6))
            place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": min(len(groups), abreast)}
            axes.legend(frameon=False, labelcolor=_INK, **place)
        return points

    return _figure(draw, (7.0, 1.2 + 0.16 * len(names) * (len(groups) + 0.6)), alt, caption)


def pareto(
    points: Mapping[str, tuple[float, float]], x_label: str, y_label: str, alt: str, caption: str = ""
) -> Figure:
    """Points with names: cost (less is better) on x, gain (more is better) on y; the best ones are joined.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def draw(axes: Any) -> Points:
        front = pareto_front(points)
        axes.plot([points[n][0] for n in front], [points[n][1] for n in front], color=COLORS[0], lw=1.2, ls="--")
        for name, (x, y) in points.items():
            axes.plot([x], [y], "o", ms=7, color=COLORS[0] if name in front else COLORS[1])
            axes.annotate(name, (x, y), xytext=(7, 5), textcoords="offset points", color=_INK)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.margins(x=0.22, y=0.2)
        return [(0, x, y, f"{name}: {x_label} {x:.4g}, {y_label} {y:.4g}") for name, (x, y) in points.items()]

    return _figure(draw, (7.0, 3.8), alt, caption)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points that no other beats in cost (x) and gain (y) both, by rising cost."""
    front: list[str] = []
    for name in sorted(points, key=lambda n: (points[n][0], -points[n][1])):
        if not front or points[name][1] > points[front[-1]][1]:
            front.append(name)
    return front


def _switches(legend: Any) -> None:
    """Marks the legend's names, by which the page's script shows and hides a series."""
    for position, name in enumerate(legend.get_texts()):
        name.set_gid(f"switch-{position}")


def _told(series: Series, x_label: str, y_label: str) -> Points:
    step = 1 + sum(len(x) for x, _ in series.values()) // _MOST_MARKS
    return [
        (position, x, y, f"{name}: {x_label} {x:.4g}, {y_label} {y:.4g}")
        for position, (name, (xs, ys)) in enumerate(series.items())
        for x, y in list(zip(xs, ys, strict=True))[::step]
    ]


def _bar_text(group: str, name: str, value: float | None, named: bool) -> str:
    told = "not measured" if value is None else f"{value:.4g}"
    return f"{name}, {group}: {told}" if named else f"{name}: {told}"


def _figure(draw: Callable[[Any], Points], size: tuple[float, float], alt: str, caption: str) -> Figure:
    matplotlib: Any = require("matplotlib", "report")
    # The figure is made without pyplot, so that no window system and no global state are touched.
    figure_class = require("matplotlib.figure", "report").Figure
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": digest_text(alt)[:12],
        "font.family": "sans-serif",
        "font.size": 10,
        # A name from a file is text, whatever signs it holds.
        "text.parse_math": False,
    }
    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    with matplotlib.rc_context({**settings, **dict.fromkeys(inks, _INK)}):
        figure = figure_class(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        points = draw(axes)
        axes.grid(alpha=0.18, color=_INK)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        marks = _marks(figure, axes, points)
    return Figure(_inline(stream.getvalue(), alt), alt, caption, marks)


def _marks(figure: Any, axes: Any, points: Points) -> tuple[Mark, ...]:
    """Where the points lie in the SVG, whose unit is 1/72 inch and whose y axis points down."""
    if not points:
        return ()
    places = axes.transData.transform([(x, y) for _, x, y, _ in points]) * 72 / figure.dpi
    height = figure.get_figheight() * 72
    found = zip(points, places.tolist(), strict=True)
    return tuple(Mark(n, x, height - y, text) for (n, _, _, text), (x, y) in found if math.isfinite(x + y))


def _inline(svg: str, alt: str) -> str:
    """Leaves of matplotlib's file what HTML needs: no prolog, no metadata, no namespaces, one title."""
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", re.sub(r' height="[^"]*pt"', "", body, count=1))
    body = body.replace(_INK, "currentColor")
    # matplotlib numbers its groups anew in every plot, and ids must be unique in the page.
    body = re.sub(r'<g id="(series|switch)-(\d+)"', r'<g data-\1="\2"', body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    words = html.escape(alt, quote=True)
    return body.replace("<svg", f'<svg role="img" aria-label="{words}"', 1).strip()
