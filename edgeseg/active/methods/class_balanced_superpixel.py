"""ClassBal: uncertain superpixels of rarely predicted classes, of all frames together, one click each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import About, Method, MethodOptions, Rest, Round
from edgeseg.active.methods.chance import chance_of
from edgeseg.active.methods.class_balance import balanced_scores, global_top
from edgeseg.active.methods.region_query import region_means
from edgeseg.active.methods.unmasked import whole_view
from edgeseg.config import STRICT
from edgeseg.deploy.fullsize import FullSize
from edgeseg.device.regions import areas, majority_class
from edgeseg.device.strategies.class_balanced_superpixel import runner_up
from edgeseg.device.superpixels import superpixels
from edgeseg.students.groups import require_within


@dataclass(frozen=True)
class ClassBalancedSettings:
    """ClassBal's own options.

    Attributes:
        random_rounds: Rounds that choose at random. The authors begin without any label, so that their first is one;
            0 lets the model that was trained on the labels of the start choose at once.
    """

    __pydantic_config__ = STRICT

    random_rounds: int = 1

    def __post_init__(self) -> None:
        require_within("method.class-balanced-superpixel.random_rounds", self.random_rounds, 0, 10**6)


@dataclass(frozen=True)
class Superpixels:
    """What is kept of superpixels, of one frame or of all.

    Attributes:
        frame: (N,) index in the pool.
        region: (N,) id in the frame.
        area: (N,) pixels.
        uncertainty: (N,) mean of p₂ / p₁.
        classes: (N,) class predicted for most of it, -1 where the model saw nothing.
        picked: (N,) whether it was asked for.
    """

    frame: NDArray[np.intp]
    region: NDArray[np.intp]
    area: NDArray[np.int64]
    uncertainty: NDArray[np.float64]
    classes: NDArray[np.intp]
    picked: NDArray[np.bool_]


class ClassBalancedSuperpixel(Method):
    """The superpixels of highest score over all frames; a click labels all of one with the class of most of it.

    Cai, Xu, Liew, Foo, "Revisiting Superpixels for Active Learning in Semantic Segmentation With Realistic Annotation
    Costs", CVPR 2021; with this package's superpixels for its SEEDS.
    """

    about: ClassVar[About] = About(
        "the highest superpixels of all frames together, one class each",
        "the two best classes",
        "superpixels of every frame in each round",
        "Cai et al. 2021 (ClassBal)",
        "clicks are what costs, and rare classes must not be forgotten",
    )
    needs = ("top2_probs",)
    rest: Rest | None = "ignore"

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        self.own = config.resolve(ClassBalancedSettings, options=options.own)

    def select(self, state: Round) -> Iterator[Choice]:
        """As many superpixels as the budget allows, best first among all, then brought frame by frame."""
        found = _joined([self._of_frame(state, index) for index in range(len(state.pool))])
        scores = self._scores(state, found)
        order = global_top(scores, found.picked, len(scores))
        costs = np.ones(len(order), np.int64) if state.budget.unit == "clicks" else found.area[order]
        chosen = order[: int((np.cumsum(costs) <= state.budget.amount).sum())]
        by_frame = chosen[np.argsort(found.frame[chosen], kind="stable")].tolist()
        for frame, members in groupby(by_frame, lambda i: int(found.frame[i])):
            labels = _regions(state, frame).ravel()
            for i in members:
                pixels = np.flatnonzero(labels == found.region[i])
                yield Choice(frame, pixels, clicks=1, value=float(scores[i]), answer="dominant")

    def _scores(self, state: Round, found: Superpixels) -> NDArray[np.float64]:
        if state.number <= self.own.random_rounds:
            return chance_of(self.options.seed, state.number).random(len(found.frame))
        return balanced_scores(found.uncertainty, found.classes, found.picked, state.pool.class_map.num_classes)

    def _of_frame(self, state: Round, index: int) -> Superpixels:
        view, labels = whole_view(state, index), _regions(state, index)
        every, (height, width) = np.arange(labels.max() + 1, dtype=np.intp), labels.shape
        full = FullSize(view.info.preprocess, (height, width), height, width)
        classes = majority_class(labels, view.class_map, every)
        asked = state.pool.asked(index)
        return Superpixels(
            frame=np.full(len(every), index, np.intp),
            region=every,
            area=areas(labels),
            uncertainty=region_means(full.plane(runner_up(view.outputs["top2_probs"])), labels),
            classes=np.array([-1 if c is None else c for c in classes], np.intp),
            picked=np.isin(every, [] if asked is None else np.unique(labels[asked])),
        )


def _regions(state: Round, index: int) -> NDArray[np.int32]:
    """Superpixels (H, W) of a frame, the same in every round, whatever was asked of it."""
    return superpixels(state.pool.frame(index).image, state.superpixel_px)


def _joined(frames: list[Superpixels]) -> Superpixels:
    return Superpixels(*(np.concatenate([getattr(f, name) for f in frames]) for name in Superpixels.__annotations__))
