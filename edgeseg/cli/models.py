"""``edgeseg nets``, ``import``, ``eval`` and ``predict``: models, whoever trained them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Json, parse_size, print_json, print_table

Model = Annotated[Path, typer.Argument(metavar="MODEL", help=".edgeseg or .onnx")]
Backend = Annotated[str | None, typer.Option("--backend", help="Runtime; default: by the file's kind.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command()(nets)
    app.command("import")(import_model)
    app.command("eval")(evaluate)
    app.command()(predict)


def nets(
    size: Annotated[
        str, typer.Option("--size", metavar="HxW", help="Input size at which work is counted.")
    ] = "512x1024",
    as_json: Json = False,
) -> None:
    """List the networks: parameters, multiply-adds at a size, published formats they read."""
    from edgeseg.nets import describe

    rows = [summary.to_dict() for summary in describe.describe_all(parse_size(size, "--size") or (512, 1024))]
    if as_json:
        print_json({"networks": rows})
        return
    columns = ("network", "parameters", f"GFLOPs at {size}", "of which", "reads")
    cells = [
        (
            " ".join([row["name"], *map(str, row["options"].values())]),
            f"{row['parameters'] / 1e6:.2f} M",
            row["gflops"],
            ", ".join(f"{part} {value:.2f}" for part, value in row["branch_gflops"].items()),
            ", ".join(row["formats"]),
        )
        for row in rows
    ]
    print_table(columns, cells, "One multiply-add counts as two floating-point operations")


def import_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published file.")],
    format: Annotated[str, typer.Option("--format", metavar="F", help="Published format; 'edgeseg nets' lists them.")],
    out: Annotated[Path, typer.Option("--out", metavar="M.edgeseg")],
    classes: Annotated[
        Path | None, typer.Option("--classes", help="Class map as YAML; default: the published one.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="HxW", help="Input size; default: the published one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn a published network's file into a checkpoint of this package."""
    from edgeseg.datasets.folder import read_classes
    from edgeseg.nets import importing

    class_map = read_classes(classes) if classes else None
    settings = importing.ImportSettings(class_map=class_map, size=parse_size(size, "--size"))
    report = importing.import_published(file, format, out, settings)
    if as_json:
        print_json(report.to_dict())
    else:
        print_table(("key", "value"), list(report.to_dict().items()))


def evaluate(
    model: Model,
    data: Annotated[str, typer.Option("--data", metavar="D", help="LAYOUT:PATH[#SPLIT]")],
    backend: Backend = None,
    remap: Annotated[Path | None, typer.Option("--remap", help="Table of the model's class names to D's.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on labels: mIoU, IoU per class, pixel accuracy, calibration error, at label size."""
    from edgeseg import datasets
    from edgeseg.deploy import evaluation
    from edgeseg.deploy.runners import open_runner
    from edgeseg.remap import load_table

    dataset = datasets.open(data)
    with open_runner(model, backend) as runner:
        report = evaluation.evaluate(runner, dataset, load_table(remap) if remap else None)
    if as_json:
        print_json(report.to_dict())
    else:
        plain = report.to_dict()
        print_table(("class", "IoU"), list(plain.pop("iou").items()))
        print_table(("figure", "value"), list(plain.items()))


def predict(
    model: Model,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Image, folder, video, camera:0, or LAYOUT:PATH[#SPLIT].")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR")],
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Write each frame's class map, its colours and its entropy map as PNG."""
    from edgeseg.deploy import prediction
    from edgeseg.deploy.runners import open_runner
    from edgeseg.frames import open_source

    with open_runner(model, backend) as runner:
        report = prediction.predict(runner, open_source(source), out)
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo(f"{report.frames} frames written to {out}")
