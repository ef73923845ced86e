"""A line chart as numbers that a template draws: the page allows no inline style, which plotting libraries write."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeseg.queue.page.progress import Point

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 40
COLORS = 8
"""Colours that the style sheet has for lines, ``line-0`` and on."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One strategy's line.

    Attributes:
        name: The strategy.
        css: Class of its colour.
        points: ``x,y`` of its polyline.
        marks: (x, y, top of the seeds' range, its bottom, words) of each point.
    """

    name: str
    css: str
    points: str
    marks: tuple[tuple[float, float, float, float, str], ...]


@dataclass(frozen=True)
class Chart:
    """mIoU over the labeled share, in a frame of ``WIDTH`` x ``HEIGHT``."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def miou_chart(strategies: Mapping[str, Sequence[Point]]) -> Chart:
    """Chart of mIoU, with its range over the seeds, against the share of pixels labeled.

    Args:
        strategies: At least one point.
    """
    points = [point for of in strategies.values() for point in of]
    xs = _ticks(min(p.labeled_share for p in points), max(p.labeled_share for p in points))
    ys = _ticks(min(p.lowest for p in points), max(p.highest for p in points))

    def x(value: float) -> float:
        return round(LEFT + (value - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - ys[0]) / (ys[-1] - ys[0]) * (HEIGHT - BOTTOM - TOP), 1)

    def line(index: int, name: str, of: Sequence[Point]) -> Line:
        marks = tuple((x(p.labeled_share), y(p.miou), y(p.highest), y(p.lowest), _words(name, p)) for p in of)
        return Line(name, f"line-{index % COLORS}", " ".join(f"{mark[0]},{mark[1]}" for mark in marks), marks)

    return Chart(
        x_ticks=tuple(Tick(x(value), f"{100 * value:.4g} %") for value in xs),
        y_ticks=tuple(Tick(y(value), f"{value:.4g}") for value in ys),
        lines=tuple(line(index, name, of) for index, (name, of) in enumerate(strategies.items())),
    )


def _words(name: str, point: Point) -> str:
    return f"{name}, round {point.round}: mIoU {point.miou:.3f} at {100 * point.labeled_share:.3g} % labeled"


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, at least two."""
    rough = max(high - low, 1e-3) / (most - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 9) for number in range(first, max(last, first + 1) + 1)]
