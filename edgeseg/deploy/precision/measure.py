"""What a lower precision costs against the fp32 graph on the same frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.parity.tally import Tally
from edgeseg.deploy.parity.view import FrameSays, frame_says, seen_label
from edgeseg.deploy.precision.search import Loss
from edgeseg.deploy.runners.exported import ExportedRunner
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.sample_frames import scaled
from edgeseg.deploy.seal import set_metadata
from edgeseg.errors import DataError
from edgeseg.modelinfo import ModelInfo

_FLAT = 1.0
"""Standard deviation in grey levels below which a frame shows nothing."""


@dataclass(frozen=True)
class Frames:
    """What a cost is measured on.

    Attributes:
        images: (H, W, 3) uint8 RGB each.
        labels: (H, W) uint8 train ids each, None where there are none of the model's classes.
        source: Where they are from.
    """

    images: list[NDArray[np.uint8]]
    labels: list[NDArray[np.uint8]] | None
    source: str

    @property
    def against(self) -> str:
        """What the mIoU is measured against."""
        return "labels" if self.labels else "the fp32 graph's class maps"


def calibration_frames(spec: str, count: int, info: ModelInfo, size: tuple[int, int] | None) -> Frames:
    """Evenly spaced frames of a dataset, with labels where they are of the model's classes.

    Args:
        spec: ``LAYOUT:PATH[#SPLIT]``.
        count: At most so many.
        info: What the model carries.
        size: (H, W) to which they are scaled, None to leave them as they are.

    Raises:
        ConfigError: The dataset is unknown.
        DataError: It holds no frames, or frames of one colour.
    """
    dataset = datasets.open(spec)
    if not len(dataset):
        raise DataError(f"--calibrate {dataset.spec}: holds no frames; name a split of frames like the camera's")
    chosen = [round(place) for place in np.linspace(0, len(dataset) - 1, min(count, len(dataset)))]
    images = [dataset.image(index) for index in chosen]
    flat = [dataset.sample_ids[index] for index, image in zip(chosen, images, strict=True) if image.std() < _FLAT]
    if flat:
        raise DataError(
            f"--calibrate {dataset.spec}: {flat[0]} is of one colour ({len(flat)} of {len(images)} frames are); "
            "name frames like the camera's"
        )
    if size is not None:
        images = [scaled(image, size) for image in images]
    labeled = dataset.has_labels and info.class_map.same_classes(dataset.class_map)
    return Frames(images, [dataset.label(index) for index in chosen] if labeled else None, dataset.spec)


@dataclass(frozen=True)
class _Case:
    """One frame, what fp32 says of it, and the label (h, w) to hold both against."""

    frame: NDArray[np.uint8]
    reference: FrameSays
    label: NDArray[np.uint8]


class CostMeter:
    """What lower precisions of one graph cost on the same frames, each graph run as written.

    Args:
        model: The fp32 ``onnx.ModelProto``.
        info: What it carries.
        record: How it was exported.
        frames: What the cost is measured on; without labels the fp32 graph's class maps are taken for them.
    """

    def __init__(self, model: Any, info: ModelInfo, record: ExportRecord, frames: Frames) -> None:
        self.info, self.record = info, record
        says = self._run(model, frames.images, record.precision)
        truth = self._labels(frames) or [said.classes for said in says]
        self.cases = [_Case(*case) for case in zip(frames.images, says, truth, strict=True)]

    def _labels(self, frames: Frames) -> list[NDArray[np.uint8]]:
        pairs = zip(frames.images, frames.labels or [], strict=False)
        return [seen_label(label, self.info.preprocess, (image.shape[0], image.shape[1])) for image, label in pairs]

    def loss(self, model: Any, precision: str, count: int | None = None) -> Loss:
        """Cost of an ``onnx.ModelProto`` on the first ``count`` frames, None for all."""
        frames = [case.frame for case in self.cases[:count]]
        return self._compare(self._run(model, frames, precision))

    def loss_of(self, infer: Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]], count: int | None = None) -> Loss:
        """Cost of whatever else gives the graph's outputs for a frame."""
        return self._compare([self._says(infer(case.frame)) for case in self.cases[:count]])

    def _compare(self, says: Sequence[FrameSays]) -> Loss:
        tally = Tally(self.info.class_map.num_classes)
        for case, said in zip(self.cases, says, strict=False):
            tally.add(case.reference, said)
            tally.add_label(case.label, case.reference, said)
        before, after = tally.miou()
        drop = 0.0 if before is None or after is None else 100 * (before - after)
        changes = [100 * abs(delta) for delta in tally.delta_iou() if delta is not None]
        return Loss(drop, float(np.mean(changes or [0.0])), 1 - tally.agreement, tally.overlap)

    def _run(self, model: Any, frames: Sequence[NDArray[np.uint8]], precision: str) -> list[FrameSays]:
        copies = 1 if self.record.batch == "dynamic" else int(self.record.batch)
        with tempfile.TemporaryDirectory(prefix="edgeseg-precision-") as folder:
            path = Path(folder) / "candidate.onnx"
            set_metadata(model, self.info, replace(self.record, precision=precision))
            path.write_bytes(model.SerializeToString())
            with OnnxRuntimeRunner(path, as_written=True) as runner:
                return [self._says(_first(runner, frame, copies)) for frame in frames]

    def _says(self, outputs: dict[str, NDArray[Any]]) -> FrameSays:
        # Logits are not kept: C×h×w of every frame would not fit.
        return replace(frame_says(outputs, self.info.temperature), logits=None)


def _first(runner: ExportedRunner, frame: NDArray[np.uint8], copies: int) -> dict[str, NDArray[Any]]:
    batch = runner.infer_batch(np.repeat(frame[None], copies, axis=0))
    return {name: array[0] for name, array in batch.items()}
