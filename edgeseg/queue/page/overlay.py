"""A record's regions as a page draws and lists them; bounded, since a vehicle chooses how many there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from edgeseg.classes import ClassMap, voc_color
from edgeseg.records import Record, Region

MAX_REGIONS, MAX_POINTS = 200, 20_000


@dataclass(frozen=True)
class Outline:
    """One region.

    Attributes:
        number: Position in the record, from 1.
        path: SVG path in camera pixels.
        name: Its class, or "no class".
        score, unit: Its uncertainty.
        clicks, area_px: What labeling it costs, and its size.
        is_asked: Whether it is asked for, or would be if the item were accepted.
    """

    number: int
    path: str
    name: str
    score: float
    unit: str
    clicks: int
    area_px: int
    is_asked: bool


@dataclass(frozen=True)
class LegendEntry:
    """A class and its colour, ``#rrggbb``."""

    name: str
    color: str


def outlines(record: Record, asked: Collection[int]) -> list[Outline]:
    """The record's first regions, its most uncertain ones, as many as can be drawn.

    Args:
        record: The record.
        asked: Positions of those asked for.
    """
    drawn: list[Outline] = []
    points = 0
    for index, region in enumerate(record.regions[:MAX_REGIONS]):
        points += sum(len(ring) for ring in region.polygons)
        if points > MAX_POINTS:
            break
        name = region.class_name or "no class"
        facts = (region.score, region.unit, region.clicks, region.area_px)
        drawn.append(Outline(index + 1, _path(region), name, *facts, index in asked))
    return drawn


def legend(record: Record, classes: ClassMap | None) -> list[LegendEntry]:
    """Colours of the classes: all of the class map, or those that the record's regions name."""
    if classes is not None:
        return [LegendEntry(row.name, _hex(row.color)) for row in classes.classes]
    named = {r.class_id: r.class_name for r in record.regions if r.class_id is not None and r.class_name is not None}
    return [LegendEntry(name, _hex(voc_color(number + 1))) for number, name in sorted(named.items())]


def _path(region: Region) -> str:
    return " ".join("M" + _line(ring) + "Z" for ring in region.polygons)


def _line(ring: Iterable[tuple[int, int]]) -> str:
    return "L".join(f"{x} {y}" for x, y in ring)


def _hex(color: tuple[int, int, int]) -> str:
    return "#" + bytes(color).hex()
