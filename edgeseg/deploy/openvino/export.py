"""An OpenVINO model from an exported fp32 graph; torch is not needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.openvino.model_file import SUFFIX, weights_of, write_model
from edgeseg.deploy.openvino.quantise import Quantiser
from edgeseg.deploy.precision.measure import CostMeter, calibration_frames
from edgeseg.deploy.precision.search import Bounds, Loss, choose_layers
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.runners.openvino import compile_model, lacking, read_model
from edgeseg.dropout import all_kept
from edgeseg.errors import ConfigError, UsageError, require
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo

OpenVinoPrecision = Literal["fp32", "fp16", "bf16", "int8"]
GLANCED_AT = 2
"""Frames on which one block's harm is looked at."""


@dataclass(frozen=True)
class OpenVinoSettings:
    """How an OpenVINO model is made.

    Attributes:
        precision: ``fp32``, ``fp16`` and ``bf16`` are what OpenVINO shall compute in; ``int8`` is NNCF's.
        calibrate: Dataset whose frames give int8's ranges and on which the cost is measured; without it the
            cost of fp16 and bf16 is not measured.
        frames: At most so many of its frames, evenly spaced.
        max_miou_drop: int8: most points of IoU that a class may lose or gain on average, None for 0.5.
        min_region_overlap: int8: least overlap of the most uncertain regions, None for 0.9.
        min_agreement: int8: least share of pixels of the same class, None for no bound.
    """

    precision: OpenVinoPrecision = "fp32"
    calibrate: str | None = None
    frames: int = 16
    max_miou_drop: float | None = None
    min_region_overlap: float | None = None
    min_agreement: float | None = None

    def __post_init__(self) -> None:
        known = get_args(OpenVinoPrecision)
        if self.precision not in known:
            raise ConfigError(f"--precision {self.precision} with --openvino: choose from {', '.join(known)}")
        if self.precision == "int8" and self.calibrate is None:
            raise ConfigError("--precision int8 needs --calibrate D: frames from which the ranges are measured")
        if (
            self.precision != "int8"
            and (self.max_miou_drop, self.min_region_overlap, self.min_agreement) != (None,) * 3
        ):
            raise ConfigError(
                "--max-miou-drop, --min-region-overlap and --min-agreement bound int8 alone with --openvino, which "
                f"computes all of the network in {self.precision}; leave them out and read the cost in the report"
            )
        if self.frames < 1:
            raise ConfigError(f"--calibration-frames must be at least 1, got {self.frames}")

    @property
    def bounds(self) -> Bounds:
        """What int8 may cost."""
        given = (self.max_miou_drop, self.min_region_overlap, self.min_agreement)
        return Bounds(*(own if value is None else value for value, own in zip(given, (0.5, 0.9, 0.0), strict=True)))


@dataclass(frozen=True)
class OpenVinoReport:
    """What was written.

    Attributes:
        path: ``NAME.xml``; its weights lie in ``NAME.bin`` beside it.
        report: JSON file of this report.
        digest: SHA-256 of ``NAME.xml``, whose seal covers the weights.
        bytes: Size of both files.
        record: How it was exported, with what it costs.
    """

    path: Path
    report: Path
    digest: str
    bytes: int
    record: ExportRecord

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        own = {"path": str(self.path), "report": str(self.report), "digest": self.digest, "bytes": self.bytes}
        return {**own, **self.record.to_dict()}


def export_openvino(graph: Path, out_dir: Path, settings: OpenVinoSettings | None = None) -> OpenVinoReport:
    """Writes ``out_dir/NAME-PRECISION.xml``, ``.bin`` and its report from an exported fp32 ``NAME-fp32.onnx``.

    Args:
        graph: The graph.
        out_dir: Gets the files.
        settings: Precision and bounds.

    Raises:
        UsageError: The graph is not in fp32.
        ConfigError: The dataset is unknown.
        DataError: The dataset holds no frames.
        ModelError: The graph cannot be read, or int8 does not hold the bounds. Nothing is written.
        MissingDependencyError: OpenVINO is not installed, or NNCF where int8 is wanted.
        OutputError: ``out_dir`` cannot be written.
    """
    settings = settings or OpenVinoSettings()
    openvino = require("openvino", "openvino")
    with OnnxRuntimeRunner(graph) as runner:
        info, record = runner.info, runner.export
    if record.precision != "fp32":
        raise UsageError(f"{graph}: --openvino starts from a graph in fp32, this one is {record.precision}")
    model = read_model(graph)
    lower = replace(record, precision=settings.precision)
    if settings.calibrate is None:
        return _write(openvino, model, info, _with(lower, {"precision_cost": "not measured"}), graph, out_dir)
    making = _Making(openvino, model, graph, info, record, settings)
    model, figures = making.int8() if settings.precision == "int8" else making.as_is()
    return _write(openvino, model, info, _with(lower, figures), graph, out_dir)


class _Making:
    """One export whose cost is measured."""

    def __init__(
        self, openvino: Any, model: Any, graph: Path, info: ModelInfo, record: ExportRecord, settings: OpenVinoSettings
    ) -> None:
        self.model, self.record, self.settings, self.graph = model, record, settings, graph
        assert settings.calibrate is not None
        self.frames = calibration_frames(settings.calibrate, settings.frames, info, record.frame)
        self.copies = 1 if record.batch == "dynamic" else int(record.batch)
        reference = require("onnx", "train").load_model(str(graph))
        self.meter = CostMeter(reference, info, record, self.frames)
        self.measured = {
            "measured_on": self.frames.source,
            "measured_frames": len(self.frames.images),
            "cost_against": self.frames.against,
        }

    def as_is(self) -> tuple[Any, dict[str, Any]]:
        """The model whose arithmetic OpenVINO chooses by the record's precision."""
        if lacking(self.settings.precision):
            return self.model, {"precision_cost": f"not measured: no {self.settings.precision} on this processor"}
        return self.model, {"precision_cost": asdict(self.loss(self.model)), **self.measured}

    def int8(self) -> tuple[Any, dict[str, Any]]:
        """NNCF's model, with the most harmful layers in fp32 where the bounds ask for it."""
        inputs = [self._fed(frame) for frame in self.frames.images]
        quantiser, glanced = Quantiser(self.model, inputs), Quantiser(self.model, inputs[:GLANCED_AT])
        last: dict[tuple[str, ...], Any] = {}

        def made(some: Sequence[str]) -> Any:
            last.clear()  # one model in memory is enough, and it is mostly the one that is chosen
            return last.setdefault(tuple(some), quantiser.quantised(some))

        choice = choose_layers(
            quantiser.layers,
            lambda some: self.loss(made(some)),
            lambda some: self.loss(glanced.quantised(some), GLANCED_AT),
            self.settings.bounds,
            "int8",
        )
        figures = {
            "precision_cost": asdict(choice.loss),
            "lowered_layers": len(choice.layers),
            "layers": len(quantiser.layers),
            "kept_fp32": choice.kept,
            "quantised_by": f"nncf {quantiser.nncf.__version__}",
        }
        return last.get(choice.layers) or made(choice.layers), {**figures, **self.measured}

    def loss(self, model: Any, count: int | None = None) -> Loss:
        """Cost of an ``openvino.Model``, run by OpenVINO on this processor."""
        request = compile_model(model, self.settings.precision, None, self.graph).create_infer_request()

        def infer(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
            found = request.infer(self._fed(frame))
            return {name: found[name][0] for name in self.record.output_names}

        return self.meter.loss_of(infer, count)

    def _fed(self, frame: NDArray[np.uint8]) -> list[NDArray[Any]]:
        fed = self.meter.info.preprocess.apply(frame) if self.record.outputs == "logits" else frame
        frames = np.repeat(fed[None], self.copies, axis=0)
        return [frames, all_kept(layers, self.copies)] if (layers := self.record.mask_layers) else [frames]


def _with(record: ExportRecord, figures: dict[str, Any]) -> ExportRecord:
    return replace(record, parity={**record.parity, **figures})


def _write(
    openvino: Any, model: Any, info: ModelInfo, record: ExportRecord, graph: Path, out_dir: Path
) -> OpenVinoReport:
    path = out_dir / f"{graph.stem.removesuffix('-fp32')}-{record.precision}{SUFFIX}"
    sealed = write_model(openvino, model, info, record, path)
    report = OpenVinoReport(
        path=path,
        report=path.with_suffix(".xml.json"),
        digest=hashlib.sha256(sealed).hexdigest(),
        bytes=len(sealed) + weights_of(path).stat().st_size,
        record=record,
    )
    write_atomic(report.report, json.dumps(report.to_dict(), indent=2) + "\n")
    return report
