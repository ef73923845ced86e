"""What the commands share: options that recur, sizes, and how a report is printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON, alone on stdout.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")]
Config = Annotated[Path | None, typer.Option("--config", help="YAML file of settings; options given here win over it.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="One setting as name=value; repeatable.")]

Db = Annotated[str, typer.Option("--db", metavar="URL", help="SQLite file, or postgresql://USER@HOST/NAME.")]
DEFAULT_DB = "edgeseg-queue.db"
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="With --engine ray: the cluster's HOST:PORT; default: RAY_ADDRESS, a cluster running here, or a new one.",
    ),
]


def parse_size(text: str | None, option: str) -> tuple[int, int] | None:
    """Reads ``HxW`` such as ``512x1024`` as (height, width).

    Raises:
        UsageError: The text has another form, or a side is not positive.
    """
    if text is None:
        return None
    height, by, width = text.lower().partition("x")
    if not (by and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UsageError(f"{option} {text!r}: write a size as HxW in pixels, height first, such as {option} 512x1024")
    return int(height), int(width)


def print_json(report: dict[str, Any]) -> None:
    """Prints a report as JSON; a figure that is not a number becomes null."""
    typer.echo(json.dumps(_finite(report), indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Prints a table for a person on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
