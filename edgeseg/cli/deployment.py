"""``edgeseg fit-temperature``, ``fit-prototypes``, ``export`` and ``parity``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli.common import Json, parse_size, print_json, print_table
from edgeseg.errors import UsageError

if TYPE_CHECKING:
    from edgeseg.deploy.openvino.export import OpenVinoSettings
    from edgeseg.deploy.tensorrt import BuildSettings


class Outputs(str, Enum):
    """What an exported file gives."""

    graph = "graph"
    logits = "logits"


class Typing(str, Enum):
    """Where a TensorRT engine's precision comes from."""

    auto = "auto"
    strong = "strong"
    weak = "weak"


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command("fit-temperature")(fit_temperature)
    app.command("fit-prototypes")(fit_prototypes)
    app.command()(export)
    app.command()(parity)


def fit_temperature(
    model: Annotated[Path, typer.Argument(metavar="M.edgeseg")],
    data: Annotated[str, typer.Option("--data", metavar="D", help="Labeled frames that it was not trained on.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="M.edgeseg", help="Write here; default: replace M.")
    ] = None,
    pixels: Annotated[
        int, typer.Option("--pixels", help="Labeled pixels to draw, evenly over the frames.")
    ] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Fit the one divisor of the logits that makes confidence true, and write it into the checkpoint."""
    from edgeseg.deploy.export import fit_temperature as fitting

    report = fitting.fit_temperature(model, data, out, pixels)
    if as_json:
        print_json(report.to_dict())
    else:
        print_table(("key", "value"), list(report.to_dict().items()))


def fit_prototypes(
    model: Annotated[Path, typer.Argument(metavar="M.edgeseg")],
    data: Annotated[str, typer.Option("--data", metavar="D", help="Labeled frames, such as it was trained on.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="M.edgeseg", help="Write here; default: replace M.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Average each class's features, for strategies that go by class, and write them into the checkpoint."""
    from edgeseg.deploy.export import fit_prototypes as fitting

    report = fitting.fit_prototypes(model, data, out)
    if as_json:
        print_json(report.to_dict())
    else:
        print_table(("key", "value"), list(report.to_dict().items()))


def export(
    model: Annotated[
        Path, typer.Argument(metavar="M.edgeseg", help="A checkpoint; with --tensorrt also an exported .onnx.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets the .onnx and its report.")],
    size: Annotated[
        str | None, typer.Option("--size", metavar="HxW", help="Network input; default: the model's own.")
    ] = None,
    frame: Annotated[
        str | None, typer.Option("--frame", metavar="HxW", help="Fix the camera's size; default: dynamic.")
    ] = None,
    emit: Annotated[
        list[str] | None,
        typer.Option(
            "--emit",
            help="Further outputs: logits, top2, features; or dropout-masks, an input. Repeatable, or by commas.",
        ),
    ] = None,
    outputs: Annotated[
        Outputs, typer.Option("--outputs", help="graph: frame in, scores out; logits: the plain network.")
    ] = Outputs.graph,
    batch: Annotated[str, typer.Option("--batch", metavar="N|dynamic")] = "1",
    opset: Annotated[int, typer.Option("--opset", help="At most 17.")] = 17,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="D", help="Frames to compare with the checkpoint; default: drawn ones."),
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, fp16, int8, int8-fp16; with --openvino: bf16, too.")
    ] = "fp32",
    calibrate: Annotated[
        str | None, typer.Option("--calibrate", metavar="D", help="Frames that give int8's ranges and tell the cost.")
    ] = None,
    calibration_frames: Annotated[int, typer.Option("--calibration-frames", help="At most so many of them.")] = 16,
    calibration_method: Annotated[
        str, typer.Option("--calibration-method", help="percentile, entropy, minmax, or auto: the best of them.")
    ] = "auto",
    max_miou_drop: Annotated[
        float | None,
        typer.Option(
            "--max-miou-drop",
            help="Mean points of IoU a class; fewer layers are lowered until it holds. fp16: 0.05, int8: 0.5.",
        ),
    ] = None,
    min_region_overlap: Annotated[
        float | None,
        typer.Option("--min-region-overlap", help="Likewise, of the most uncertain tenth. fp16: 0.97, int8: 0.9."),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            "--min-agreement",
            help="Likewise, share of equal pixels. fp16: 0.9992, int8: 0.985. With --openvino the three bound int8 "
            "alone, and this one only where it is given.",
        ),
    ] = None,
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="Also build an engine for this machine's GPU; a .onnx needs no torch.")
    ] = False,
    openvino: Annotated[
        bool, typer.Option("--openvino", help="Also write OpenVINO's form; int8 by NNCF; a .onnx needs no torch.")
    ] = False,
    workspace: Annotated[int | None, typer.Option("--workspace", help="TensorRT: MiB that kernels may use.")] = None,
    timing_cache: Annotated[
        Path | None, typer.Option("--timing-cache", help="TensorRT: file of kernel timings; default: in DIR.")
    ] = None,
    dla: Annotated[int | None, typer.Option("--dla", help="TensorRT: DLA core; the GPU takes what it cannot.")] = None,
    typing: Annotated[
        Typing, typer.Option("--typing", help="TensorRT: precision by the graph (strong) or by flags (weak).")
    ] = Typing.auto,
    tf32: Annotated[bool, typer.Option("--tf32", help="TensorRT: let fp32 round to TF32.")] = False,
    as_json: Json = False,
) -> None:
    """Write the deployed graph: the camera's frame in, class map and uncertainty out."""
    from edgeseg.deploy.tensorrt import BuildSettings

    engine = BuildSettings(workspace, timing_cache, dla, typing.value, tf32) if tensorrt else None
    if openvino and tensorrt:
        raise UsageError("--openvino and --tensorrt are for different machines: give one of them")
    form = _openvino_settings(
        openvino, precision, calibrate, calibration_frames, max_miou_drop, min_region_overlap, min_agreement
    )
    if model.suffix == ".onnx" and form:
        _report(_openvino_of_graph(model, out, form), as_json)
        return
    if model.suffix == ".onnx":
        _report(_engine_of_graph(model, out, engine), as_json)
        return
    if engine:
        from edgeseg.deploy.tensorrt.export import require_target

        # Before the export, which takes minutes.
        if frame is None and outputs is Outputs.graph:
            raise UsageError("--tensorrt wants to know the camera's size: give --frame HxW")
        require_target()
    from edgeseg.deploy import export as exporting
    from edgeseg.deploy.precision import PrecisionSettings

    lower = PrecisionSettings(
        "fp32" if form else precision,  # type: ignore[arg-type]  # checked when built
        None if form else calibrate,
        calibration_frames,
        calibration_method,  # type: ignore[arg-type]
        max_miou_drop,
        min_region_overlap,
        min_agreement,
    )
    report = exporting.export(
        model,
        out,
        size=parse_size(size, "--size"),
        frame=parse_size(frame, "--frame"),
        emit=tuple(name for text in emit or () for name in text.split(",")),
        outputs="logits" if outputs is Outputs.logits else "graph",
        batch=_batch(batch),
        opset=opset,
        data=data,
        lower=lower,
    )
    plain = report.to_dict()
    if form:
        plain["openvino"] = _openvino_of_graph(report.path, out, form)
    if engine:
        plain["engine"] = _engine_of_graph(report.path, out, engine)
    _report(plain, as_json)


def _openvino_settings(wanted: bool, precision: str, *others: Any) -> OpenVinoSettings | None:
    from edgeseg.deploy.openvino.export import OpenVinoSettings

    return OpenVinoSettings(precision, *others) if wanted else None  # type: ignore[arg-type]  # checked when built


def _openvino_of_graph(graph: Path, out: Path, settings: OpenVinoSettings) -> dict[str, Any]:
    from edgeseg.deploy.openvino.export import export_openvino

    return export_openvino(graph, out, settings).to_dict()


def _engine_of_graph(graph: Path, out: Path, settings: BuildSettings | None) -> dict[str, Any]:
    if settings is None:
        raise UsageError(f"{graph}: is exported already; give --tensorrt or --openvino to make an engine of it")
    from edgeseg.deploy.tensorrt import export_engine

    return export_engine(graph, out, settings).to_dict()


def _report(plain: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(plain)
    else:
        print_table(("key", "value"), list(plain.items()))


def parity(
    a: Annotated[Path, typer.Argument(metavar="A", help="The reference: .edgeseg or .onnx.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="What is held against it.")],
    data: Annotated[str, typer.Option("--data", metavar="D", help="Frames, and labels for ΔmIoU.")],
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="At most so many frames.")] = None,
    min_agreement: Annotated[float | None, typer.Option(help="Least share of pixels of the same class.")] = None,
    max_delta_miou: Annotated[float | None, typer.Option(help="Largest |ΔmIoU|; 0.005 is half a point.")] = None,
    min_rank_correlation: Annotated[float | None, typer.Option(help="Least Spearman's ρ of frame entropies.")] = None,
    min_region_overlap: Annotated[float | None, typer.Option(help="Least overlap of the top 10 % of regions.")] = None,
    as_run: Annotated[
        bool, typer.Option("--as-run", help="Run lower precisions as the runtime does, not as their graphs say.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold two models against each other on the same frames; exit code 1 where they part, and say where."""
    from edgeseg.deploy import parity as comparing

    given = {
        "agreement": min_agreement,
        "delta_miou": max_delta_miou,
        "rank_correlation": min_rank_correlation,
        "region_overlap": min_region_overlap,
    }
    report = comparing.parity(a, b, data, {k: v for k, v in given.items() if v is not None}, frames, as_run)
    plain = report.to_dict()
    if as_json:
        print_json(plain)
    else:
        print_table(("class", "ΔIoU"), list(plain.pop("delta_iou").items()))
        print_table(("figure", "value"), list(plain.items()))
    if report.verdict == "fail":
        raise typer.Exit(1)


def _batch(text: str) -> int | None:
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--batch {text!r}: write a positive number or 'dynamic'")
    return int(text)
