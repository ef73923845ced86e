"""``edgeseg report``: one HTML page of any run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Json, print_json


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folder or file that a command wrote: training, distillation, soft-label cache, sweep, spool, active "
            "learning; or the JSON of export, parity, bench, eval, score, cache verify, policy replay.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page of runs; those of one kind are held against each other."""
    from edgeseg.report.overview import report as write

    page = write(runs, out)
    if as_json:
        print_json({"page": str(out), "title": page.title, "warnings": page.warnings, "summary": page.summary})
        return
    for warning in page.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"page: {out}")
