"""Fits the CRF's w₁, w₂, σ_α and σ_β on labeled frames by cross-validation; σ_γ stays the thesis's 3.

The thesis holds w₂ at 3 as well, a weight for pixels, which is too much between superpixels, since each is a mean over
its pixels already; so it is tried at 1, which is the default where nothing was fitted, and at 3.

What is fitted is what the CRF is for: the share of all wrong pixels that lie in the chosen regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.device.crf import CrfWeights, mean_field, pairwise
from edgeseg.device.pooling import Overlaps, overlaps
from edgeseg.device.regions import RegionScore
from edgeseg.device.strategies.superpixel_crf import cell_probs, left_share, pixel_means
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, DataError
from edgeseg.frames import Frame
from edgeseg.progress import track

APPEARANCE_WEIGHTS = (0.3, 1.0, 3.0)
APPEARANCE_SIDES = (3.0, 10.0)
APPEARANCE_COLOURS = (8.0, 20.0)
SMOOTHNESS_WEIGHTS = (1.0, 3.0)
FOLDS = 5
Values = NDArray[np.float64]


@dataclass(frozen=True)
class CrfFitSettings:
    """How the weights are fitted.

    Attributes:
        region_share: Share of a frame's pixels that is chosen, in (0, 1].
        region_score: Whether a region counts by the sum or the mean over its pixels.
        superpixel_px: Pixels of one superpixel.
        frames: Labeled frames that are looked at, evenly spaced; the thesis takes 100.
    """

    region_share: float = 0.1
    region_score: RegionScore = "sum"
    superpixel_px: int = SUPERPIXEL_PX
    frames: int = 100

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ConfigError(f"frames must be 2 or more, since some are held out; got {self.frames}")


@dataclass(frozen=True)
class CrfFit:
    """What was fitted.

    Attributes:
        weights: The best on all frames.
        caught: Share of all wrong pixels in the chosen regions with them, mean over frames.
        caught_held_out: The same on frames that each fold's weights had not seen.
        caught_without: The same where regions do not hear each other.
        frames: Labeled frames.
        data: The dataset's description.
    """

    weights: CrfWeights
    caught: float
    caught_held_out: float
    caught_without: float
    frames: int
    data: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**vars(self), "weights": self.weights.to_dict()}


@dataclass(frozen=True)
class LabeledRegions:
    """One frame, as far as the fit needs it.

    Attributes:
        overlaps: Its regions.
        places: (R, 2) float32, in sides of a region.
        cells: (cells, C) float32, the model's probabilities.
        nats: (R,) float32, mean entropy of each region's pixels.
        pixels, wrong: (R,) labeled pixels of each region, and those of them that the model got wrong.
    """

    overlaps: Overlaps
    places: NDArray[np.float32]
    cells: NDArray[np.float32]
    nats: NDArray[np.float32]
    pixels: NDArray[np.int64]
    wrong: NDArray[np.int64]

    def caught(self, weights: CrfWeights, settings: CrfFitSettings) -> float:
        """Share of the wrong pixels that lie in the regions chosen with these weights."""
        matrix = pairwise(self.places, self.overlaps.colours, weights)
        _, message = mean_field(self.overlaps.mean(self.cells), matrix, weights.iterations)
        nats = self.nats * left_share(self.overlaps, self.cells, message)
        worth = nats * self.overlaps.areas if settings.region_score == "sum" else nats
        order = np.argsort(-worth, kind="stable")
        fits = np.cumsum(self.pixels[order]) <= settings.region_share * self.pixels.sum()
        return float(self.wrong[order[fits]].sum() / max(1, self.wrong.sum()))


def fit(runner: Runner, dataset: Dataset, settings: CrfFitSettings) -> CrfFit:
    """Tries every combination of the grid on every frame.

    Raises:
        ConfigError: The dataset's classes are not the model's.
        DataError: Fewer than two frames have labels and errors.
        ModelError: The model gives no cell probabilities.
    """
    require_outputs(runner, ("class_map", "entropy", "cell_probs"), "fitting the CRF")
    if not runner.info.class_map.same_classes(dataset.class_map):
        raise ConfigError(
            f"{dataset.spec}: its classes are not the model's, and the CRF is fitted on the model's own errors; "
            "use a dataset of the classes that the model was trained on"
        )
    settings_tried = grid()
    silent = replace(settings_tried[0], appearance_weight=0.0, smoothness_weight=0.0)
    table = caught_table(runner, dataset, settings, [silent, *settings_tried])
    if len(table) < 2:
        raise DataError(f"{dataset.spec}: the model errs on {len(table)} labeled frame(s), too few to hold some out")
    best = int(table[:, 1:].mean(0).argmax())
    return CrfFit(
        weights=settings_tried[best],
        caught=float(table[:, 1 + best].mean()),
        caught_held_out=held_out(table[:, 1:]),
        caught_without=float(table[:, 0].mean()),
        frames=len(table),
        data=dataset.spec,
    )


def grid() -> list[CrfWeights]:
    """What is tried."""
    tried = product(APPEARANCE_WEIGHTS, APPEARANCE_SIDES, APPEARANCE_COLOURS, SMOOTHNESS_WEIGHTS)
    return [CrfWeights(*values) for values in tried]


def held_out(table: Values, folds: int = FOLDS) -> float:
    """Mean over frames of what each gets from the setting that is best on the other folds.

    Args:
        table: (F, S), frames by settings.
        folds: Frame i is in fold i modulo this.
    """
    fold = np.arange(len(table)) % min(folds, len(table))
    picked = [table[fold != number].mean(0).argmax() for number in fold]
    return float(table[np.arange(len(table)), picked].mean())


def caught_table(runner: Runner, dataset: Dataset, settings: CrfFitSettings, tried: Sequence[CrfWeights]) -> Values:
    """Share of wrong pixels that each setting catches, (F, S), frames on which the model errs by settings."""
    count = min(settings.frames, len(dataset))
    chosen = [position * len(dataset) // count for position in range(count)]
    rows = []
    for index in track(chosen, "fitting the CRF"):
        regions = _labeled(runner, dataset, index, settings)
        if regions.wrong.any():
            rows.append([regions.caught(weights, settings) for weights in tried])
    return np.array(rows)


def _labeled(runner: Runner, dataset: Dataset, index: int, settings: CrfFitSettings) -> LabeledRegions:
    image, label = dataset.image(index), dataset.label(index)
    if label.shape != image.shape[:2]:
        raise DataError(f"{dataset.sample_ids[index]}: its label is {label.shape}, its image {image.shape[:2]}")
    frame = Frame(image, dataset.sample_ids[index], index, None, dataset.spec)
    # What nobody labels, nobody chooses: left in, a car's hood speaks to the regions around it.
    unlabeled = label == IGNORE_INDEX
    view = FrameView(frame, runner.infer(image), runner.info, settings.superpixel_px, ignored=unlabeled)
    found = overlaps(view.superpixels, image, runner.info.preprocess)
    counted = ~unlabeled & (view.class_map != IGNORE_INDEX)
    wrong = counted & (label != view.class_map)
    return LabeledRegions(
        found,
        found.centres / np.float32(view.region_side),
        cell_probs(view),
        pixel_means(view, view.superpixels),
        np.bincount(view.superpixels[counted], minlength=found.regions),
        np.bincount(view.superpixels[wrong], minlength=found.regions),
    )
