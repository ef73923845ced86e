"""Makes a lower precision of an fp32 graph and measures what it costs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.datasets import Dataset
from edgeseg.deploy.fullsize import FullSize
from edgeseg.deploy.lint import lint
from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.parity.tally import Tally
from edgeseg.deploy.parity.view import FrameSays, frame_says
from edgeseg.deploy.precision.fp16 import to_fp16
from edgeseg.deploy.precision.int8 import layers, quantised_inputs, to_int8
from edgeseg.deploy.precision.ranges import RangeMethod, activation_ranges
from edgeseg.deploy.precision.search import Bounds, Loss, choose_layers
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.sample_frames import scaled
from edgeseg.deploy.seal import set_metadata
from edgeseg.errors import ConfigError, DataError, ModelError
from edgeseg.modelinfo import ModelInfo

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
GLANCED_AT = 2
"""Frames on which one block's harm is looked at."""


@dataclass(frozen=True)
class PrecisionSettings:
    """How a lower precision is made.

    Attributes:
        precision: ``fp32``, ``fp16`` or ``int8``.
        calibrate: Dataset whose frames give the ranges of int8 and on which its cost is measured; its labels
            are used where they are the model's classes, otherwise the fp32 graph's own class maps.
        frames: At most so many of its frames, evenly spaced.
        method: ``percentile`` or ``minmax``.
        max_miou_drop: Most points of mIoU that int8 may cost.
        min_region_overlap: Least overlap of the most uncertain regions.
    """

    precision: Precision = "fp32"
    calibrate: str | None = None
    frames: int = 16
    method: RangeMethod = "percentile"
    max_miou_drop: float = 0.5
    min_region_overlap: float = 0.9

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"--precision {self.precision}: choose from {', '.join(PRECISIONS)}")
        if self.precision == "int8" and self.calibrate is None:
            raise ConfigError("--precision int8 needs --calibrate D: frames from which the ranges are measured")
        if self.precision != "int8" and self.calibrate is not None:
            raise ConfigError(f"--calibrate belongs to --precision int8, not {self.precision}")
        if self.method not in get_args(RangeMethod):
            raise ConfigError(f"--calibration-method {self.method}: choose from {', '.join(get_args(RangeMethod))}")
        if self.frames < 1:
            raise ConfigError(f"--calibration-frames must be at least 1, got {self.frames}")
        if self.max_miou_drop < 0 or not 0 <= self.min_region_overlap <= 1:
            raise ConfigError(
                f"--max-miou-drop must be at least 0 and --min-region-overlap from 0 to 1, "
                f"got {self.max_miou_drop:g} and {self.min_region_overlap:g}"
            )


@dataclass(frozen=True)
class Lowered:
    """A graph in a lower precision, its metadata not yet set.

    Attributes:
        model: The ``onnx.ModelProto``.
        figures: What was done and what it costs against fp32, plain data.
    """

    model: Any
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Case:
    """One frame, what fp32 says of it, and the label to hold both against."""

    frame: NDArray[np.uint8]
    reference: FrameSays
    label: NDArray[np.uint8]


def lower(
    model: Any, info: ModelInfo, record: ExportRecord, settings: PrecisionSettings, frames: Sequence[NDArray[np.uint8]]
) -> Lowered:
    """Makes the graph of ``settings.precision`` out of an fp32 one.

    The cost is measured on the graph as written, so that every rounding in it happens and no other.

    Args:
        model: The fp32 ``onnx.ModelProto``.
        info: What the model carries.
        record: How it was exported.
        settings: Precision and bounds.
        frames: (H, W, 3) uint8 RGB each, on which fp16 is measured; int8 takes the dataset's.

    Raises:
        ConfigError: The dataset is unknown.
        DataError: The dataset holds no frames, or they tell nothing about the ranges.
        ModelError: int8 cannot hold the bounds, or a weight is beyond fp16's range.
    """
    measurement = _Measurement(model, info, replace(record, precision=settings.precision))
    if settings.precision == "fp16":
        half = to_fp16(model)
        measurement.reference_on(frames, None)
        return _checked(Lowered(half, {"precision_cost": asdict(measurement.loss(half))}))
    return _int8(model, measurement, settings)


def _int8(model: Any, measurement: _Measurement, settings: PrecisionSettings) -> Lowered:
    dataset, frames, labels = _calibration_data(settings, measurement.info, measurement.record.frame)
    names = layers(model)
    probe = GraphProbe(model, measurement.info, measurement.record.outputs)
    ranges = activation_ranges(probe, frames, quantised_inputs(model, names), settings.method)
    measurement.reference_on(frames, labels)
    choice = choose_layers(
        names,
        lambda some: measurement.loss(to_int8(model, some, ranges)),
        lambda some: measurement.loss(to_int8(model, some, ranges), GLANCED_AT),
        Bounds(settings.max_miou_drop, settings.min_region_overlap),
    )
    figures = {
        "precision_cost": asdict(choice.loss),
        "cost_against": "labels" if labels else "the fp32 graph's class maps",
        "calibrated_on": dataset.spec,
        "calibration_frames": len(frames),
        "calibration_method": settings.method,
        "int8_layers": len(choice.layers),
        "layers": len(names),
        "kept_fp32": choice.kept,
    }
    return _checked(Lowered(to_int8(model, choice.layers, ranges), figures))


def _calibration_data(
    settings: PrecisionSettings, info: ModelInfo, size: tuple[int, int] | None
) -> tuple[Dataset, list[NDArray[np.uint8]], list[NDArray[np.uint8]] | None]:
    """Evenly spaced frames, scaled to ``size``, with labels where they are of the model's classes."""
    dataset = datasets.open(settings.calibrate or "")
    if not len(dataset):
        raise DataError(f"--calibrate {dataset.spec}: holds no frames; name a split of frames like the camera's")
    count = min(settings.frames, len(dataset))
    chosen = [round(place) for place in np.linspace(0, len(dataset) - 1, count)]
    frames = [dataset.image(index) for index in chosen]
    if size is not None:
        frames = [scaled(frame, size) for frame in frames]
    labeled = dataset.has_labels and info.class_map.same_classes(dataset.class_map)
    return dataset, frames, [dataset.label(index) for index in chosen] if labeled else None


def _checked(lowered: Lowered) -> Lowered:
    found = lint(lowered.model)
    if found:
        raise ModelError(f"TensorRT would refuse the graph in its lower precision: {'; '.join(found)}")
    return lowered


class _Measurement:
    """What lower precisions of one graph cost on the same frames."""

    def __init__(self, model: Any, info: ModelInfo, record: ExportRecord) -> None:
        self.model, self.info, self.record = model, info, record
        self.cases: list[_Case] = []

    def reference_on(self, frames: Sequence[NDArray[np.uint8]], labels: Sequence[NDArray[np.uint8]] | None) -> None:
        """Runs the fp32 graph; without labels its own class maps are taken for them."""
        says = self._run(self.model, frames)
        truth = labels or [said.classes for said in says]
        self.cases = [_Case(frame, said, label) for frame, said, label in zip(frames, says, truth, strict=True)]

    def loss(self, model: Any, count: int | None = None) -> Loss:
        """Cost on the first ``count`` frames, None for all."""
        cases = self.cases[:count]
        tally = Tally(self.info.class_map.num_classes)
        for case, said in zip(cases, self._run(model, [case.frame for case in cases]), strict=True):
            tally.add(case.reference, said)
            size = case.frame.shape[0], case.frame.shape[1]
            full = FullSize(self.info.preprocess, size, case.label.shape[0], case.label.shape[1])
            tally.add_label(case.label, case.reference, said, full)
        before, after = tally.miou()
        drop = 0.0 if before is None or after is None else 100 * (before - after)
        return Loss(drop, 1 - tally.agreement, tally.overlap)

    def _run(self, model: Any, frames: Sequence[NDArray[np.uint8]]) -> list[FrameSays]:
        copies = 1 if self.record.batch == "dynamic" else int(self.record.batch)
        with tempfile.TemporaryDirectory(prefix="edgeseg-precision-") as folder:
            path = Path(folder) / "candidate.onnx"
            set_metadata(model, self.info, self.record)
            path.write_bytes(model.SerializeToString())
            with OnnxRuntimeRunner(path, as_written=True) as runner:
                batches = (runner.infer_batch(np.repeat(frame[None], copies, axis=0)) for frame in frames)
                firsts = ({name: array[0] for name, array in batch.items()} for batch in batches)
                # Logits are not kept: C×h×w of every frame would not fit.
                return [replace(frame_says(outputs, self.info.temperature), logits=None) for outputs in firsts]
