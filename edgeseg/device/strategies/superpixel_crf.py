"""Superpixels after a fully connected CRF has made their probabilities agree with their likes'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.crf import CrfWeights, entropy, fitted_weights, mean_field, pairwise, softmax
from edgeseg.device.pixel_crf import pixel_entropy, placed
from edgeseg.device.pooling import Overlaps, overlaps
from edgeseg.device.regions import areas as region_areas
from edgeseg.device.regions import region_values
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.modelinfo import ModelInfo
from edgeseg.progress import say


@dataclass(frozen=True)
class JoinedRegions:
    """Regions after the CRF.

    Attributes:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        overlaps: What of the model's cells they cover.
        entropy: (R,) float32, mean nats of each region's pixels.
    """

    labels: NDArray[np.int32]
    overlaps: Overlaps
    entropy: NDArray[np.float32]


class SuperpixelCrf:
    """Each superpixel by the entropy that its pixels have left after the CRF, summed (or as a mean).

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter
    3.2: the CRF is applied at superpixel level (option ``crf``: or over pixels). Its unary is the mean of
    the model's ``cell_probs`` over the superpixel. The message that a superpixel gets moves each of its
    cells' probabilities, and by what share their entropy falls or grows, that of its pixels does: pixels
    keep the fine edges that cells average away.
    """

    name: ClassVar[str] = "superpixel-crf"
    needs: tuple[str, ...] = ("class_map", "entropy", "cell_probs")

    def __init__(self, options: StrategyOptions) -> None:
        if options.regions == "pixels":
            raise ConfigError(f"strategy {self.name} joins regions: take superpixel, grid or component, not pixels")
        self.options = options
        if options.crf == "pixel":
            self.needs = (*(name for name in self.needs if name not in ("entropy", "cell_probs")), "logits")
        self._weights: tuple[ModelInfo, CrfWeights] | None = None

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and its regions, in nats."""
        joined = self.joined(view)
        areas = region_areas(joined.labels)
        value = float(joined.entropy @ areas) / joined.labels.size
        return self._scored(joined.labels, joined.entropy, areas, value)

    def joined(self, view: FrameView) -> JoinedRegions:
        """Applies the CRF."""
        labels, weights = view.regions(self.options.regions or "superpixel"), self._weights_of(view)
        found = overlaps(labels, view.frame.image, view.info.preprocess)
        if self.options.crf == "pixel":
            return JoinedRegions(labels, found, _pixelwise(view, labels, weights))
        cells = cell_probs(view)
        matrix = pairwise(found.centres / np.float32(view.region_side), found.colours, weights)
        _, message = mean_field(found.mean(cells), matrix, weights.iterations)
        return JoinedRegions(labels, found, pixel_means(view, labels) * left_share(found, cells, message))

    def _scored(
        self, labels: NDArray[np.int32], nats: NDArray[np.float32], areas: NDArray[np.int64], value: float
    ) -> FrameScore:
        summed = self.options.region_score == "sum"
        values = nats.astype(np.float64) * (areas if summed else 1)
        return FrameScore("frame_crf_entropy", value, "nats", labels, values, "nats" if summed else "nats/px")

    def _weights_of(self, view: FrameView) -> CrfWeights:
        # A model may be replaced between two frames.
        if self._weights is None or self._weights[0] is not view.info:
            fitted = fitted_weights(view.info)
            if fitted is None:
                say("the model carries no CRF weights, so defaults are taken; fit its own with edgeseg crf fit")
            self._weights = (view.info, fitted or CrfWeights())
        return self._weights[1]


def _pixelwise(view: FrameView, labels: NDArray[np.int32], weights: CrfWeights) -> NDArray[np.float32]:
    preprocess, (height, width) = view.info.preprocess, labels.shape
    side = view.region_side * preprocess.placement(height, width).height / height
    logits = np.asarray(view.outputs["logits"] / view.info.temperature, np.float32)
    nats = pixel_entropy(logits, placed(view.frame.image, preprocess), side, weights)
    steps = np.rint(nats / view.nats_per_step).astype(np.uint8)
    return _means(view, labels, view.in_camera_pixels(steps))


def pixel_means(view: FrameView, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean entropy (R,) in nats of each region's pixels, as the model gives it."""
    return _means(view, labels, view.entropy)


def _means(view: FrameView, labels: NDArray[np.int32], steps: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(region_values(labels, steps, "mean") * view.nats_per_step, np.float32)


def cell_probs(view: FrameView) -> NDArray[np.float32]:
    """The model's mean probabilities of each cell, (cells, C), each row summing to 1."""
    stored = view.outputs["cell_probs"]
    # Half a step for classes that were rounded to nothing: a message can bring them back.
    cells = stored.reshape(len(stored), -1).T.astype(np.float32) + np.float32(0.5 / len(stored))
    return np.asarray(cells / cells.sum(1, keepdims=True), np.float32)


def left_share(found: Overlaps, cells: NDArray[np.float32], message: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a message leaves of the entropy of each region's cells, (R,): below 1 where it settles them.

    Args:
        found: The regions' cells.
        cells: (cells, C) probabilities.
        message: (R, C); a cell's probabilities are multiplied by its exponential.
    """
    logs = np.log(cells)[found.cell]
    before = found.total(entropy(cells[found.cell]) * found.pixels)
    after = found.total(entropy(softmax(logs + message[found.region])) * found.pixels)
    return np.asarray(np.where(before > 0, after / np.maximum(before, np.float32(1e-6)), 1), np.float32)
