"""``edgeseg data``: datasets, before anything is trained on them."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeseg.cli.common import Json, print_json, print_table

app = typer.Typer(help="Check datasets before anything is trained on them.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``check`` a command of a group while it is the only one."""


@app.command()
def check(
    dataset: Annotated[str, typer.Argument(metavar="D", help="LAYOUT:PATH[#SPLIT], such as camvid:data/camvid#train.")],
    as_json: Json = False,
) -> None:
    """Read every frame and label once; report counts, sizes, class frequencies and every bad file."""
    from edgeseg import datasets
    from edgeseg.progress import warn

    report = datasets.check(datasets.open(dataset))
    if as_json:
        print_json(report.to_dict())
    else:
        plain = report.to_dict()
        rows = [(name, row["pixels"], row["share"], row["images"]) for name, row in plain.pop("classes").items()]
        print_table(("class", "pixels", "share", "images"), rows, report.spec)
        sizes = ", ".join(f"{count} of {size}" for size, count in report.sizes.items())
        typer.echo(
            f"{report.images} images ({sizes}), {plain['labels']} labels, {plain['ignored_pixels']} ignored pixels"
        )
        if report.absent_classes:
            warn(f"no label holds {', '.join(report.absent_classes)}")
        for problem in report.problems:
            warn(problem)
    if report.problems:
        raise typer.Exit(1)
