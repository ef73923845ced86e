"""``edgeseg train`` and ``edgeseg distill``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli.common import Config, Json, Overrides, Resume, parse_size, print_json

if TYPE_CHECKING:
    from edgeseg.students import TrainResult

Network = Annotated[str, typer.Argument(metavar="NET", help="Name from 'edgeseg nets', or package.module:factory.")]
Data = Annotated[str | None, typer.Option("--data", metavar="D", help="Training data, LAYOUT:PATH[#SPLIT].")]
Val = Annotated[
    str | None,
    typer.Option(
        "--val",
        metavar="D",
        help="Data that chooses the best checkpoint; default: a tenth of D set aside; none: the last.",
    ),
]
Unlabeled = Annotated[
    str | None,
    typer.Option("--unlabeled", metavar="D2", help="Frames to learn from without their labels; --set semi.NAME=..."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for best.edgeseg, last.edgeseg, metrics.jsonl, config.yaml.")]
Init = Annotated[
    Path | None, typer.Option("--init", metavar="M", help="Checkpoint to start from; a head that does not fit is new.")
]
Backbone = Annotated[Path | None, typer.Option("--backbone-weights", help="Local file of backbone weights.")]
Size = Annotated[str | None, typer.Option("--size", metavar="HxW", help="Size of the training input, height first.")]
Epochs = Annotated[int | None, typer.Option("--epochs")]
Batch = Annotated[int | None, typer.Option("--batch-size")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate")]
Seed = Annotated[int | None, typer.Option("--seed")]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache", metavar="C", help="Soft labels of 'edgeseg cache build': a folder, or an object store's URL."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command()(train)
    app.command()(distill)


def train(
    network: Network,
    out: Out,
    data: Data = None,
    val: Val = None,
    unlabeled: Unlabeled = None,
    init: Init = None,
    backbone_weights: Backbone = None,
    size: Size = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    learning_rate: LearningRate = None,
    seed: Seed = None,
    config: Config = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train one network on labels, and with --unlabeled on a mean teacher's pseudo-labels of further frames."""
    from edgeseg import students
    from edgeseg.config import resolve

    options = _options(network, data, val, init, backbone_weights, size, epochs, batch_size, learning_rate, seed)
    with students.one_voice():
        settings = resolve(students.TrainSettings, config, overrides or (), options | {"unlabeled": unlabeled})
        result = students.train(settings, out, resume=resume)
    _report(result, as_json)


def distill(
    network: Network,
    out: Out,
    data: Data = None,
    cache: Cache = None,
    student_temperature: Annotated[float | None, typer.Option("--student-temperature", metavar="T")] = None,
    kl_weight: Annotated[
        str | None,
        typer.Option("--kl-weight", metavar="L", help="Weight λ of the KL term; auto: by kl_ratio."),
    ] = None,
    require_ensemble_gain: Annotated[
        bool | None,
        typer.Option(
            "--require-ensemble-gain",
            help="Refuse a cache whose ensemble loses to its best member, overall or in a class.",
        ),
    ] = None,
    val: Val = None,
    unlabeled: Unlabeled = None,
    unlabeled_cache: Annotated[
        str | None,
        typer.Option("--unlabeled-cache", metavar="C2", help="Soft labels of D2, where C does not hold them."),
    ] = None,
    init: Init = None,
    backbone_weights: Backbone = None,
    size: Size = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    learning_rate: LearningRate = None,
    seed: Seed = None,
    config: Config = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a student on labels and cached soft labels: cross-entropy + λ·KL; --unlabeled as of train."""
    from edgeseg import students
    from edgeseg.config import resolve

    options = _options(network, data, val, init, backbone_weights, size, epochs, batch_size, learning_rate, seed)
    options |= {"cache": cache, "student_temperature": student_temperature, "kl_weight": kl_weight}
    options |= {"unlabeled": unlabeled, "unlabeled_cache": unlabeled_cache}
    options |= {"require_ensemble_gain": require_ensemble_gain}
    with students.one_voice():
        settings = resolve(students.DistillSettings, config, overrides or (), options)
        result = students.distill(settings, out, resume=resume)
    _report(result, as_json)


def _options(
    network: str,
    data: str | None,
    val: str | None,
    init: Path | None,
    backbone_weights: Path | None,
    size: str | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
) -> dict[str, Any]:
    height_width = parse_size(size, "--size")
    return {
        "network": network,
        "data": data,
        "val": val,
        "init": init,
        "backbone_weights": backbone_weights,
        "height": height_width and height_width[0],
        "width": height_width and height_width[1],
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer.learning_rate": learning_rate,
        "seed": seed,
    }


def _report(result: TrainResult, as_json: bool) -> None:
    from edgeseg import students

    if not students.leads():
        return
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(f"best: {result.best}\nlast: {result.last}")
