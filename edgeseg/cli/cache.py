"""``edgeseg cache``: the ensemble's soft labels on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli.common import ClusterAddress, Config, Json, Overrides, Resume, print_json, print_table
from edgeseg.errors import CacheError, UsageError

if TYPE_CHECKING:
    from edgeseg.teachers import CacheSettings

app = typer.Typer(help="Soft labels of an ensemble of teachers, cached once.", no_args_is_help=True)

CachePath = Annotated[str, typer.Argument(metavar="C", help="The cache: a folder, or the URL of an object store.")]
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
Engine = Annotated[str, typer.Option("--engine", metavar="local|ray", help="Where the teachers run.")]


@app.command()
def build(
    out: Annotated[str, typer.Option("--out", metavar="C", help="The cache: a folder, or the URL of an object store.")],
    teachers: Teachers = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="Frames to cache, LAYOUT:PATH[#SPLIT].")
    ] = None,
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
    engine: Engine = "local",
    address: ClusterAddress = None,
    config: Config = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run the teachers over a dataset once and keep their softened mixture.

    With --engine ray, the workers of a Ray cluster run them, each with its own set of teachers and, where there is one,
    a GPU; this process writes. Every node must find the teachers' files and the dataset under the same absolute paths
    as this machine.
    """
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
    runs = resolve(ensemble.EngineSettings, options={"engine": engine, "address": address})
    _print_info(ensemble.build_cache(settings, out, resume, runs).to_dict(), as_json)


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

        settings = _makers(teachers, data, teacher_weights, teacher_classes)
        report = ensemble.verify_cache(cache, settings, frames, seed)
    _print_info(report.to_dict(), as_json)
    if not report.ok:
        raise CacheError(f"{cache}: " + "; ".join(report.bad.values()))


@app.command()
def repair(
    cache: CachePath,
    data: Annotated[str, typer.Option("--data", metavar="D", help="The dataset that the cache was made of.")],
    teachers: Annotated[
        list[str], typer.Option("--teacher", metavar="SPEC", help="MODEL:T of each of its teachers, in its order.")
    ],
    teacher_weights: TeacherWeights = None,
    teacher_classes: TeacherClasses = None,
    engine: Engine = "local",
    address: ClusterAddress = None,
    as_json: Json = False,
) -> None:
    """Compute again what is damaged or missing, and nothing else; other teachers or data are refused."""
    from edgeseg import teachers as ensemble
    from edgeseg.config import resolve

    settings = _makers(teachers, data, teacher_weights, teacher_classes)
    runs = resolve(ensemble.EngineSettings, options={"engine": engine, "address": address})
    _print_info(ensemble.repair_cache(cache, settings, runs).to_dict(), as_json)


def _makers(
    teachers: list[str] | None, data: str, weights: list[Path] | None, classes: list[Path] | None
) -> CacheSettings:
    """What a cache is said to have been made of."""
    from edgeseg import teachers as ensemble
    from edgeseg.config import resolve

    options = {
        "teachers": teachers,
        "data": data,
        "teacher_weights": weights or None,
        "teacher_classes": classes or None,
    }
    return resolve(ensemble.CacheSettings, options=options)


def _print_info(plain: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(plain)
        return
    apart = ("class_weights", "gate")
    print_table(("key", "value"), [(key, _lines(value)) for key, value in plain.items() if key not in apart])
    models = [teacher["model"] for teacher in plain.get("teachers", [])]
    if weights := plain.get("class_weights"):
        _print_by_class("Class weights", models, weights)
    if gate := plain.get("gate"):
        figures = [{"overall": given["miou"], **given["iou"]} for given in (*gate["teachers"], gate["ensemble"])]
        _print_by_class("IoU on the labels of the cached frames, %", [*models, "ensemble"], figures, percent=True)


def _print_by_class(title: str, models: list[str], columns: list[dict[str, Any]], percent: bool = False) -> None:
    # Teachers of one recipe differ in the folder, not in the file's name.
    heads = ["/".join(Path(model).parts[-2:]) for model in models]
    rows = [(name, *(_percent(c[name]) if percent else c[name] for c in columns)) for name in columns[0]]
    print_table(("class", *heads), rows, title)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"


def _lines(value: Any) -> Any:
    """A list as lines, a teacher as its spec and the start of its digest, settings as names and values."""
    if isinstance(value, list):
        return "\n".join(str(_lines(item)) for item in value)
    if isinstance(value, dict) and "digest" in value:
        return f"{value['model']}:{value['temperature']:g} ({value['digest'][:12]}…)"
    if isinstance(value, dict):
        return "\n".join(f"{name}: {part}" for name, part in value.items())
    return value
