"""PixelPick: a few single pixels of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import About, Method, MethodOptions, Rest, Round
from edgeseg.active.methods.chance import chance_of
from edgeseg.active.methods.sparse_pixels import draw_any, draw_uncertain, margin
from edgeseg.config import STRICT
from edgeseg.deploy.fullsize import FullSize
from edgeseg.students.groups import require_within


@dataclass(frozen=True)
class PixelPickSettings:
    """PixelPick's own options.

    Attributes:
        pixels: Of each frame in a round; under a budget of clicks it is what each frame's share of that allows.
        share: Share of a frame's pixels, those of the smallest margins, that they are drawn from.
        random_rounds: Rounds that draw from all pixels. The authors begin without any label, so that their first is
            one; 0 lets the model that was trained on the labels of the start choose at once.
    """

    __pydantic_config__ = STRICT

    pixels: int = 10
    share: float = 0.05
    random_rounds: int = 1

    def __post_init__(self) -> None:
        require_within("method.pixelpick.pixels", self.pixels, 1, 10**6)
        require_within("method.pixelpick.share", self.share, 0, 1, open_low=True)
        require_within("method.pixelpick.random_rounds", self.random_rounds, 0, 10**6)


class PixelPick(Method):
    """Of every frame, pixels drawn from those with the smallest margin p₁ − p₂; a click gives the class of one.

    Shin, Xie, Albanie, "All You Need Are a Few Pixels: Semantic Segmentation with PixelPick", ICCV Workshops 2021.
    """

    about: ClassVar[About] = About(
        "10 pixels of every frame, drawn from the 5 % of the smallest margin",
        "the two best classes",
        "nothing",
        "Shin et al. 2021 (PixelPick)",
        "labelers answer single clicks, and there are many frames",
    )
    needs = ("top2_probs",)
    rest: Rest | None = "ignore"

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        self.own = config.resolve(PixelPickSettings, options=options.own)

    def select(self, state: Round) -> Iterator[Choice]:
        """Pixels of all frames, in an order drawn anew each round, so that a small budget favours none."""
        number = self._number(state)
        order = chance_of(self.options.seed, state.number, "order").permutation(len(state.pool))
        for index in order.tolist():
            margins = self._margins(state, index)
            for place in self._drawn(state, index, margins, number):
                pixel = np.array([place], np.int64)
                yield Choice(index, pixel, clicks=1, value=1 - float(margins.flat[place]))

    def _number(self, state: Round) -> int:
        if state.budget.unit == "clicks":
            return max(1, state.budget.amount // len(state.pool))
        return self.own.pixels

    def _drawn(self, state: Round, index: int, margins: NDArray[np.float32], number: int) -> NDArray[np.intp]:
        asked = state.pool.asked(index)
        labeled = np.zeros(margins.shape, bool) if asked is None else asked
        rng = chance_of(self.options.seed, state.number, state.pool.frames.sample_ids[index])
        if state.number <= self.own.random_rounds:
            return draw_any(labeled, number, rng)
        return draw_uncertain(margins, labeled, number, self.own.share, rng)

    def _margins(self, state: Round, index: int) -> NDArray[np.float32]:
        """Margins (H, W) in camera pixels, 1 where the model saw nothing."""
        image, preprocess = state.pool.frame(index).image, state.runner.info.preprocess
        height, width = image.shape[:2]
        full = FullSize(preprocess, (height, width), height, width)
        margins, seen = full.plane(margin(state.runner.infer(image)["top2_probs"])), full.seen()
        return margins if seen is None else np.where(seen, margins, np.float32(1))
