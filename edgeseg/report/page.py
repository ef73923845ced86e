"""One HTML page that stands alone: no script, no external asset, readable on a small screen, light and dark."""

from __future__ import annotations

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
class Figure:
    """A picture with what it shows in words.

    Attributes:
        content: Inline SVG (``<svg ...>``) as ``plots`` makes it, or a data URI as ``pictures`` makes it.
        alt: What the picture shows, for whoever cannot see it.
        caption: Text beneath it, or "".
    """

    content: str
    alt: str
    caption: str = ""
    kind: Literal["figure"] = field(default="figure", init=False)

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


Block = Figure | Gallery | Table | Legend


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
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    footer: str = ""


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
    template = resources.files("edgeseg.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return str(environment.from_string(template).render(page=page))


def write_page(page: Page, path: Path) -> None:
    """Writes the page, whole or not at all.

    Raises:
        MissingDependencyError: jinja2 is not installed.
        OutputError: The place cannot be written.
    """
    write_atomic(path, render(page))
