"""Writes the deployed graph of a checkpoint: traced, linted, checked, compared, and only then put in place."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from edgeseg.deploy.export.compare import Tolerance, compare
from edgeseg.deploy.export.trace import FULL_OUTPUT, trace, without_idle_nodes, without_output
from edgeseg.deploy.lint import MAX_OPSET, lint
from edgeseg.deploy.metadata import ExportRecord, Outputs
from edgeseg.deploy.precision import Frames, PrecisionSettings
from edgeseg.deploy.precision import lower as lower_precision
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.sample_frames import SYNTHETIC, dataset_frames, synthetic_frame
from edgeseg.deploy.seal import set_metadata
from edgeseg.dropout import MaskedLayer
from edgeseg.errors import ConfigError, ModelError
from edgeseg.files import write_atomic, writing
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import Checkpoint, load_checkpoint
from edgeseg.nets.deployable import deployable
from edgeseg.nets.deployed import DeployedGraph, output_names
from edgeseg.nets.features import feature_channels
from edgeseg.nets.runner import TorchRunner, with_size

MIN_OPSET = 13
COMPARED_FRAMES = 4


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, and how.

    Attributes:
        size: (h, w) of the network's input, None for the checkpoint's own.
        frame: The camera's (H, W), None for any (``stretch`` alone can do that).
        emit: Outputs beside the design's: ``logits``, ``top2``, ``features``; or ``dropout-masks``, an input.
        batch: Frames a call, None for any number.
        opset: ONNX operator set, 13 to 17.
        outputs: ``graph`` for the deployed graph, ``logits`` for the plain network with float input.
        data: Dataset whose first frames the graph is compared on, None for drawn frames.
        tolerance: Bounds of the comparison.
        lower: Precision of the graph, and what it may cost.
    """

    size: tuple[int, int] | None = None
    frame: tuple[int, int] | None = None
    emit: tuple[str, ...] = ()
    batch: int | None = 1
    opset: int = MAX_OPSET
    outputs: Outputs = "graph"
    data: str | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    lower: PrecisionSettings = field(default_factory=PrecisionSettings)

    def __post_init__(self) -> None:
        output_names(self.emit)
        if not MIN_OPSET <= self.opset <= MAX_OPSET:
            raise ConfigError(f"--opset must be {MIN_OPSET} to {MAX_OPSET}, got {self.opset}")
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"--batch must be at least 1 or dynamic, got {self.batch}")
        if self.outputs not in ("graph", "logits"):
            raise ConfigError(f"--outputs must be graph or logits, got {self.outputs!r}")
        if self.outputs == "logits" and (self.emit or self.frame):
            raise ConfigError("--outputs logits gives the plain network: leave out --emit and --frame")
        for option, size in (("--size", self.size), ("--frame", self.frame)):
            if size is not None and min(size) < 1:
                raise ConfigError(f"{option} must be positive, got {size[0]}x{size[1]}")


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        path: The graph.
        report: JSON file of this report, beside it.
        digest: SHA-256 of the graph's file.
        bytes: Size of the graph's file.
        size: (h, w) of the network's input.
        record: How it was exported, with the comparison's outcome.
        frames: What it was compared on.
    """

    path: Path
    report: Path
    digest: str
    bytes: int
    size: tuple[int, int]
    record: ExportRecord
    frames: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        own = asdict(self)
        del own["record"]
        plain = {**own, "path": str(self.path), "report": str(self.report), "size": f"{self.size[0]}x{self.size[1]}"}
        return {**plain, **self.record.to_dict()}


def export(
    checkpoint_path: Path,
    out_dir: Path,
    size: tuple[int, int] | None = None,
    frame: tuple[int, int] | None = None,
    emit: tuple[str, ...] = (),
    batch: int | None = 1,
    opset: int = MAX_OPSET,
    outputs: Outputs = "graph",
    data: str | None = None,
    tolerance: Tolerance | None = None,
    lower: PrecisionSettings | None = None,
) -> ExportReport:
    """Exports a checkpoint to ``out_dir/NAME-PRECISION.onnx`` with its report ``NAME-PRECISION.json``.

    The arguments are those of ``ExportSettings``. An earlier export of the same name is replaced, but
    only by a graph that passed.

    Raises:
        ConfigError: A setting is out of range, or ``letterbox`` and ``crop`` were not given ``frame``.
        ModelError: The checkpoint cannot be read or exported, or the graph holds an operator that
            TensorRT refuses, or gives other results than the checkpoint. Nothing is written.
        OutputError: ``out_dir`` cannot be written.
    """
    settings = ExportSettings(
        size, frame, emit, batch, opset, outputs, data, tolerance or Tolerance(), lower or PrecisionSettings()
    )
    source = with_size(load_checkpoint(checkpoint_path), settings.size)
    _require_frame(source.info, settings)
    batches = list(_batches(settings, source.info.preprocess.size))
    with tempfile.TemporaryDirectory(prefix="edgeseg-export-") as folder:
        model, info, record = _verified(source, checkpoint_path, settings, batches, Path(folder))
    record = replace(record, parity={**record.parity, "frames_from": settings.data or SYNTHETIC})
    if settings.lower.precision != "fp32":
        model, record = _lowered(model, info, record, settings, batches)
    # Only now: until here the logits, which nothing may need, tell where the network ends.
    model = without_idle_nodes(model)
    set_metadata(model, info, record)
    return _write(model, info, record, out_dir / f"{checkpoint_path.stem}-{record.precision}.onnx", settings)


def traced_graph(checkpoint_path: Path, size: tuple[int, int], frame: tuple[int, int]) -> onnx.ModelProto:
    """The deployed graph of a checkpoint for a camera's (H, W), neither checked nor sealed: to be looked into.

    Raises:
        ModelError: The checkpoint cannot be read or exported.
    """
    source = with_size(load_checkpoint(checkpoint_path), size)
    names = output_names((FULL_OUTPUT,))
    record = ExportRecord(source.digest, "graph", names, "fp32", MAX_OPSET, 1, frame)
    return trace(DeployedGraph(deployable(source.net), source.info, (FULL_OUTPUT,), frame), source.info, record)


def _verified(
    source: Checkpoint, checkpoint_path: Path, settings: ExportSettings, batches: list[NDArray[np.uint8]], folder: Path
) -> tuple[onnx.ModelProto, ModelInfo, ExportRecord]:
    """Traces with the logits as an output, compares, and gives the model without them unless they are wanted."""
    names = output_names(settings.emit) if settings.outputs == "graph" else (FULL_OUTPUT,)
    emit = settings.emit if FULL_OUTPUT in names else (*settings.emit, FULL_OUTPUT)
    module, layers = _module(source, settings, emit)
    record = ExportRecord(
        source.digest,
        settings.outputs,
        names,
        "fp32",
        settings.opset,
        settings.batch or "dynamic",
        settings.frame,
        feature_channels=feature_channels(source.net) if "features" in settings.emit else None,
        mask_layers=layers,
    )
    full = record if FULL_OUTPUT in names else replace(record, output_names=(*names, FULL_OUTPUT))
    model = trace(module, source.info, full)
    _require_parsable(model, str(checkpoint_path))
    with TorchRunner(checkpoint_path, size=settings.size, device="cpu") as reference:
        with _opened(model, source.info, full, folder) as exported:
            outcome = compare(reference, exported, batches)
        outcome.require_within(settings.tolerance, str(checkpoint_path))
    final = model if full is record else without_output(model, FULL_OUTPUT)
    with _opened(final, source.info, record, folder) as stripped:
        stripped.infer_batch(batches[0])
    return final, source.info, replace(record, parity=outcome.to_dict())


def _module(
    source: Checkpoint, settings: ExportSettings, emit: tuple[str, ...]
) -> tuple[nn.Module, tuple[MaskedLayer, ...]]:
    """What is traced, and the layers that its input of masks has."""
    net = deployable(source.net)
    if settings.outputs == "logits":
        return net, ()
    graph = DeployedGraph(net, source.info, emit, settings.frame)
    return graph, graph.mask_layers


def _lowered(
    model: onnx.ModelProto,
    info: ModelInfo,
    record: ExportRecord,
    settings: ExportSettings,
    batches: list[NDArray[np.uint8]],
) -> tuple[onnx.ModelProto, ExportRecord]:
    """The graph in its lower precision, with what that costs in the record."""
    frames = Frames([batch[0] for batch in batches], None, settings.data or SYNTHETIC)
    lowered = lower_precision(model, info, record, settings.lower, frames)
    _require_parsable(lowered.model, settings.lower.precision)
    parity = {**record.parity, **lowered.figures}
    return lowered.model, replace(record, precision=settings.lower.precision, parity=parity)


@contextmanager
def _opened(model: onnx.ModelProto, info: ModelInfo, record: ExportRecord, folder: Path) -> Iterator[OnnxRuntimeRunner]:
    set_metadata(model, info, record)
    path = folder / "candidate.onnx"
    with writing(path):
        path.write_bytes(model.SerializeToString())
    with OnnxRuntimeRunner(path) as runner:
        yield runner


def _require_frame(info: ModelInfo, settings: ExportSettings) -> None:
    resize = info.preprocess.resize
    if settings.outputs == "graph" and settings.frame is None and resize != "stretch":
        raise ConfigError(
            f"the model's resize mode is {resize}, whose placement depends on the camera's shape: "
            "give --frame HxW with the camera's size"
        )


def _require_parsable(model: onnx.ModelProto, where: str) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{where}: onnx finds the exported graph malformed: {str(error).splitlines()[0]}") from error
    found = lint(model)
    if found:
        raise ModelError(f"{where}: TensorRT would refuse the exported graph: {'; '.join(found)}")


def _batches(settings: ExportSettings, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Frames to compare on, in batches of the graph's length; of two lengths and sizes where it takes any."""
    if settings.data is not None:
        frames = dataset_frames(settings.data, COMPARED_FRAMES, settings.frame)
    else:
        odd = settings.frame or (size[0] + 13, size[1] + 29)
        shapes = [settings.frame or size, odd] * (COMPARED_FRAMES // 2)
        frames = [synthetic_frame(*shape, seed) for seed, shape in enumerate(shapes)]
    for position, frame in enumerate(frames):
        count = settings.batch or 1 + position % 2
        # The others of a batch are the same frame mirrored and rolled, so that all differ yet fit in shape.
        yield np.stack([np.roll(frame[:, :: 1 - 2 * (k % 2)], 7 * k, axis=1) for k in range(count)])


def _write(
    model: onnx.ModelProto, info: ModelInfo, record: ExportRecord, path: Path, settings: ExportSettings
) -> ExportReport:
    created = not path.parent.exists()
    content = model.SerializeToString()
    report = ExportReport(
        path=path,
        report=path.with_suffix(".json"),
        digest=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        size=info.preprocess.size,
        record=record,
        frames=settings.data or SYNTHETIC,
    )
    try:
        write_atomic(path, content)
        try:
            write_atomic(report.report, json.dumps(report.to_dict(), indent=2) + "\n")
        except BaseException:
            path.unlink()  # a graph without its report would be half an export
            raise
    except BaseException:
        if created and path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
        raise
    return report
