"""``edgeseg demo``: the whole loop on a drive that the package draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Json, Resume, print_json, print_table


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for models, cache, spool and the page.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the drive and of every training.")] = 0,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run the whole loop once: teachers, cache, students, export, benchmark, flagged frames, one HTML page."""
    from edgeseg import demo as loop

    report = loop.run(out, seed=seed, resume=resume)
    if as_json:
        print_json(report.to_dict())
    else:
        columns, rows = report.table()
        print_table(columns, rows, "What each step gave")
        typer.echo(f"page: {report.page}")
