"""``edgeseg cache``: the ensemble's soft labels on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Config, Json, Overrides, Resume, print_json, print_table
from edgeseg.errors import CacheError, UsageError

app = typer.Typer(help="Soft labels of an ensemble of teachers, cached once.", no_args_is_help=True)

CachePath = Annotated[Path, typer.Argument(metavar="C", help="The cache's folder.")]
Teachers = Annotated[
    list[str] | None,
    typer.Option("--teacher", metavar="SPEC", help="MODEL:T, T the softening temperature; repeatable."),
]
TeacherWeights = Annotated[
    list[Path] | None,
    typer.Option("--teacher-weights", help="Weights of each package.module:factory teacher, in order."),
]
TeacherClasses = Annotated[
    list[Path] | None,
    typer.Option("--teacher-classes", help="Class map of each package.module:factory teacher, in order."),
]


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", metavar="C", help="The cache's folder.")],
    teachers: Teachers = None,
    data: Annotated[str | None, typer.Option("--data", metavar="D")] = None,
    class_weights: Annotated[
        str | None,
        typer.Option("--class-weights", metavar="D|FILE|equal", help="Default: each teacher's IoU on D's own labels."),
    ] = None,
    teacher_weights: TeacherWeights = None,
    teacher_classes: TeacherClasses = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Average each teacher with its mirrored run.")
    ] = None,
    remap: Annotated[Path | None, typer.Option("--remap", help="Table of a teacher's class names to D's.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run the teachers over a dataset once and keep their softened mixture."""
    from edgeseg import teachers as ensemble
    from edgeseg.config import resolve

    options = {
        "teachers": teachers or None,
        "data": data,
        "class_weights": class_weights,
        "teacher_weights": teacher_weights or None,
        "teacher_classes": teacher_classes or None,
        "flip": flip,
        "remap": remap,
    }
    settings = resolve(ensemble.CacheSettings, config, overrides or (), options)
    info_of_cache = ensemble.build_cache(settings, out, resume=resume)
    _print_info(info_of_cache.to_dict(), as_json)


@app.command()
def info(cache: CachePath, as_json: Json = False) -> None:
    """Tell what a cache holds."""
    from edgeseg import softlabels

    _print_info(softlabels.open(cache).info.to_dict(), as_json)


@app.command()
def verify(
    cache: CachePath,
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="With --teacher: run frames through the teachers again.")
    ] = None,
    teachers: Teachers = None,
    teacher_weights: TeacherWeights = None,
    teacher_classes: TeacherClasses = None,
    frames: Annotated[int, typer.Option("--frames", help="Frames drawn at random to run again.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Check every frame's checksum; with --data and --teacher, also compare frames with the teachers run again."""
    if (data is None) != (not teachers):
        raise UsageError("cache verify compares with the teachers only where both --data and --teacher are given")
    if data is None:
        from edgeseg import softlabels

        report = softlabels.verify(cache)
    else:
        from edgeseg import teachers as ensemble
        from edgeseg.config import resolve

        options = {
            "teachers": teachers,
            "data": data,
            "teacher_weights": teacher_weights or None,
            "teacher_classes": teacher_classes or None,
        }
        settings = resolve(ensemble.CacheSettings, options=options)
        report = ensemble.verify_cache(cache, settings, frames, seed)
    _print_info(report.to_dict(), as_json)
    if not report.ok:
        raise CacheError(f"{cache}: " + "; ".join(report.bad.values()))


def _print_info(plain: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(plain)
    else:
        print_table(("key", "value"), list(plain.items()))
