"""One HTML page that stands alone: no external asset, readable on a small screen, light and dark, and without script.

Its own script adds looking closer: values under the pointer, series and columns by click, large pictures.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from edgeseg.errors import require
from edgeseg.files import write_atomic

Cell = str | int | float | None


@dataclass(frozen=True)
class Mark:
    """A point of a plot that tells its value under the pointer.

    Attributes:
        series: Number of the series that it belongs to, from 0.
        x, y: Place in the SVG's own units.
        text: What it tells.
    """

    series: int
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Figure:
    """A picture with what it shows in words.

    Attributes:
        content: Inline SVG (``<svg ...>``) as ``plots`` makes it, or a data URI as ``pictures`` makes it.
        alt: What the picture shows, for whoever cannot see it.
        caption: Text beneath it, or "".
        marks: Points of a plot.
    """

    content: str
    alt: str
    caption: str = ""
    marks: tuple[Mark, ...] = ()
    kind: Literal["figure"] = field(default="figure", init=False)

    def marks_json(self) -> str:
        """The points for the page's script: lists of series, x, y, text."""
        return json.dumps([[m.series, round(m.x, 1), round(m.y, 1), m.text] for m in self.marks])

    @property
    def is_svg(self) -> bool:
        """Whether the content is inline SVG rather than a data URI."""
        return self.content.startswith("<svg")


@dataclass(frozen=True)
class Gallery:
    """Figures side by side, one row for each tuple; narrow screens wrap them."""

    rows: tuple[tuple[Figure, ...], ...]
    kind: Literal["gallery"] = field(default="gallery", init=False)


@dataclass(frozen=True)
class Table:
    """Rows beneath columns; the first column is text, the others are figures.

    Attributes:
        columns: Headings, with the unit where there is one.
        rows: Cells; floats are shown with ``decimals`` digits, None and NaN as a dash.
        caption: Text above the table, or "".
        strong: Numbers of the rows that are set in bold.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    decimals: int = 3
    strong: tuple[int, ...] = ()
    kind: Literal["table"] = field(default="table", init=False)

    def texts(self) -> list[list[str]]:
        """The cells as they are shown."""
        return [[cell_text(value, self.decimals) for value in row] for row in self.rows]


@dataclass(frozen=True)
class Legend:
    """Names with their colours, RGB 0 to 255."""

    entries: tuple[tuple[str, tuple[int, int, int]], ...]
    kind: Literal["legend"] = field(default="legend", init=False)


@dataclass(frozen=True)
class Facts:
    """Names and values, such as settings or versions; None is left out."""

    entries: tuple[tuple[str, Cell], ...]
    kind: Literal["facts"] = field(default="facts", init=False)

    def texts(self) -> list[tuple[str, str]]:
        """The entries as they are shown."""
        return [(name, cell_text(value)) for name, value in self.entries if value is not None]


@dataclass(frozen=True)
class Tiles:
    """A few figures that matter most, shown large: (name, value with its unit, a word on it or "")."""

    entries: tuple[tuple[str, str, str], ...]
    kind: Literal["tiles"] = field(default="tiles", init=False)


Block = Figure | Gallery | Table | Legend | Facts | Tiles


@dataclass(frozen=True)
class Section:
    """A heading, what is to be said, then blocks."""

    title: str
    text: str = ""
    blocks: Sequence[Block] = ()

    @property
    def anchor(self) -> str:
        """The title as an HTML id."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Heading of the page.
        lead: One paragraph: what was done, and what came out.
        sections: In order; a page of several has a list of contents.
        footer: Where and with what it was made.
        eyebrow: A word above the heading: the kind of the page.
        warnings: What speaks against the figures, one sentence each; stand before everything else.
        summary: What came out in plain words, one sentence each.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    footer: str = ""
    eyebrow: str = ""
    warnings: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()


def cell_text(value: Cell, decimals: int = 3) -> str:
    """A table's cell as text: None and NaN are a dash, floats have ``decimals`` digits, thousands are set apart."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def render(page: Page) -> str:
    """The page as HTML. Every text is escaped; inline SVG alone is taken as it is.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    jinja2: Any = require("jinja2", "report")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    script = _resource("page.js")
    # The browser runs this script and no other, whatever a name from a file may hold.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.from_string(_resource("page.html"))
    return str(template.render(page=page, script=script, script_digest=digest))


def write_page(page: Page, path: Path) -> None:
    """Writes the page, whole or not at all.

    Raises:
        MissingDependencyError: jinja2 is not installed.
        OutputError: The place cannot be written.
    """
    write_atomic(path, render(page))


def _resource(name: str) -> str:
    return resources.files("edgeseg.report").joinpath(name).read_text(encoding="utf-8")
