"""An equal share of the budget for each class, by the entropy that the CRF leaves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.prototypes import class_prototypes
from edgeseg.device.regions import areas as region_areas
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.strategies.superpixel_crf import SuperpixelCrf
from edgeseg.device.view import FrameView
from edgeseg.modelinfo import ModelInfo


class ClassSpecific(SuperpixelCrf):
    """On top of ``SuperpixelCrf``: regions are sorted into classes by their features, and each class gets its share.

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter
    3.2. A region's features (the model's ``features``, averaged over it) go to the class whose prototype,
    which travels with the model, has the largest cosine. Only regions within the shares are regions of
    the verdict; what a class cannot fill goes to the others.
    """

    name: ClassVar[str] = "class-specific"
    needs: tuple[str, ...] = ("class_map", "cell_probs", "features")

    def __init__(self, options: StrategyOptions) -> None:
        super().__init__(options)
        self._prototypes: tuple[ModelInfo, NDArray[np.float32]] | None = None

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and the regions within the classes' shares, in nats."""
        joined = self.joined(view)
        areas = region_areas(joined.labels)
        value = float(joined.entropy @ areas) / joined.labels.size
        features = view.outputs["features"]
        pooled = joined.overlaps.mean(features.reshape(len(features), -1).T)
        worth = joined.entropy.astype(np.float64) * (areas if self.options.region_score == "sum" else 1)
        budget = self.options.region_share * joined.labels.size
        chosen = equal_shares(most_similar(pooled, self._prototypes_of(view)), worth, areas, budget)
        table = np.full(len(areas) + 1, -1, np.int32)
        table[1 + chosen] = np.arange(len(chosen))
        return self._scored(table[joined.labels + 1], joined.entropy[chosen], areas[chosen], value)

    def _prototypes_of(self, view: FrameView) -> NDArray[np.float32]:
        if self._prototypes is None or self._prototypes[0] is not view.info:
            self._prototypes = (view.info, class_prototypes(view.info, "the model"))
        return self._prototypes[1]


def most_similar(features: NDArray[np.float32], prototypes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Class whose prototype has the largest cosine with each feature vector.

    Args:
        features: (R, K).
        prototypes: (C, K), NaN for classes that have none, which win nothing.

    Returns:
        (R,) classes.
    """
    lengths = np.linalg.norm(prototypes, axis=1, keepdims=True)
    # A feature vector's own length changes no order among the classes.
    cosines = features @ (prototypes / np.maximum(lengths, np.float32(1e-12))).T
    return np.asarray(np.where(np.isnan(cosines), -np.inf, cosines).argmax(1), np.intp)


def equal_shares(
    classes: NDArray[np.intp], worth: NDArray[np.float64], areas: NDArray[np.int64], budget: float
) -> NDArray[np.intp]:
    """Fills all classes at one pace, each by falling worth, until the next region would exceed the budget.

    Args:
        classes: (R,) class of each region.
        worth: (R,).
        areas: (R,) pixels.
        budget: Pixels in all.

    Returns:
        Ids of the chosen regions, rising.
    """
    order = np.lexsort((-worth, classes))
    filled = np.cumsum(areas[order])
    firsts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    before = np.repeat(filled[firsts] - areas[order][firsts], np.diff(firsts, append=len(order)))
    # What a class holds once it has this region: classes with the least come first.
    turn = np.argsort(filled - before, kind="stable")
    count = int((np.cumsum(areas[order][turn]) <= budget).sum())
    return np.sort(order[turn[:count]])
