"""How good a model is on labels, at full label size: one confusion matrix over the dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset, require_usable
from edgeseg.deploy.fullsize import FullSize, predict_full_size
from edgeseg.deploy.runners.base import Runner
from edgeseg.errors import ConfigError, DataError, ModelError
from edgeseg.metrics import CalibrationError, ConfusionMatrix
from edgeseg.progress import track, warn
from edgeseg.remap import remap_matrix


@dataclass(frozen=True)
class EvalReport:
    """Figures of one model on one dataset.

    Attributes:
        miou: Mean IoU of the classes with at least one labeled pixel; None where there is none.
        miou_union: Mean IoU of every class that occurs in labels or predictions (Cityscapes' rule).
        iou: Class name → IoU, None for a class without a labeled pixel.
        pixel_accuracy: Share of labeled pixels predicted right.
        ece: Expected calibration error in [0, 1], None where the model gives class maps alone.
        images: Number of images.
        upsampled: ``logits`` (bilinearly, before the softmax) or ``class_map`` (nearest neighbour).
        unseen_share: Share of labeled pixels that a model with ``crop`` never saw; they do not count.
        model_digest: SHA-256 of the model file.
        data: The dataset's description.
    """

    miou: float | None
    miou_union: float | None
    iou: dict[str, float | None]
    pixel_accuracy: float | None
    ece: float | None
    images: int
    upsampled: str
    unseen_share: float
    model_digest: str
    data: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def evaluate(runner: Runner, dataset: Dataset, table: Mapping[str, str | None] | None = None) -> EvalReport:
    """Evaluates a model on a dataset's labels.

    Logits are upsampled bilinearly to the label's size before the softmax; a model without them has its
    class map resized by nearest neighbour, which costs about 0.2 points.

    Args:
        runner: The model.
        dataset: Images with labels.
        table: Model's class name → dataset's class name or None (dropped), where the two class maps
            differ; None takes equal names or a shipped table.

    Raises:
        ConfigError: The model's classes cannot be mapped to the dataset's.
        DataError: The dataset is empty, unlabeled or damaged.
        ModelError: The model gives neither logits nor a class map.
    """
    if len(dataset) == 0 or not dataset.has_labels:
        raise DataError(f"{dataset.spec}: has {len(dataset)} images and no labels to evaluate on")
    require_usable(dataset)
    tally = _Tally(runner, dataset, _remap(runner, dataset, table))
    for index in track(range(len(dataset)), "evaluating"):
        tally.add(index)
    return tally.report()


class _Tally:
    """Running sums of one evaluation."""

    def __init__(self, runner: Runner, dataset: Dataset, remap: NDArray[np.float32] | None) -> None:
        self.runner, self.dataset, self.remap = runner, dataset, remap
        self.confusion = ConfusionMatrix(dataset.class_map.num_classes)
        self.calibration = CalibrationError()
        self.labeled = self.unseen = 0

    def add(self, index: int) -> None:
        image, label = self.dataset.image(index), self.dataset.label(index)
        full = FullSize(self.runner.info.preprocess, (image.shape[0], image.shape[1]), *label.shape)
        label = self._without_unseen(label, full.seen())
        found = predict_full_size(self.runner.infer(image), full, self.runner.info.temperature, self.remap)
        self.confusion.update(label, found.classes)
        if found.confidence is not None:
            self.calibration.update(label, found.classes, found.confidence)

    def _without_unseen(self, label: NDArray[np.uint8], seen: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        labeled = label != IGNORE_INDEX
        self.labeled += int(labeled.sum())
        if seen is None:
            return label
        self.unseen += int((labeled & ~seen).sum())
        return np.where(seen, label, np.uint8(IGNORE_INDEX))

    def report(self) -> EvalReport:
        unseen_share = self.unseen / self.labeled if self.labeled else 0.0
        if unseen_share:
            warn(f"the model crops its frames: {unseen_share:.1%} of the labeled pixels were not seen and do not count")
        iou = self.confusion.iou()
        return EvalReport(
            miou=_known(self.confusion.miou()),
            miou_union=_known(self.confusion.miou_union()),
            iou={name: _known(float(x)) for name, x in zip(self.dataset.class_map.names, iou, strict=True)},
            pixel_accuracy=_known(self.confusion.pixel_accuracy()),
            ece=_known(self.calibration.value()),
            images=len(self.dataset),
            upsampled="logits" if "logits" in self.runner.output_names else "class_map",
            unseen_share=unseen_share,
            model_digest=self.runner.digest,
            data=self.dataset.spec,
        )


def _remap(runner: Runner, dataset: Dataset, table: Mapping[str, str | None] | None) -> NDArray[np.float32] | None:
    """Matrix from the model's classes to the dataset's, None where they are the same."""
    logits = "logits" in runner.output_names
    if not logits and "class_map" not in runner.output_names:
        raise ModelError(f"evaluation needs logits or class_map, the model gives {', '.join(runner.output_names)}")
    if table is None and runner.info.class_map.same_classes(dataset.class_map):
        return None
    matrix = remap_matrix(runner.info.class_map, dataset.class_map, table)
    dropped = [name for name, row in zip(runner.info.class_map.names, matrix, strict=True) if not row.any()]
    if dropped and not logits:
        raise ConfigError(
            f"the table drops {', '.join(dropped)}, whose pixels only the logits can give to another class; "
            "export the model with --emit logits"
        )
    return matrix


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
