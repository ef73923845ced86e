"""Any strategy of the vehicle as a method: the frames of highest score, and of each the regions of highest value.

In two places the loop goes beyond what a vehicle does, so that every strategy spends its whole budget. Where the next
region would exceed it, a smaller one of less value may still fit. And where a strategy's regions are groups of
uncertain pixels, exactly the share m of most uncertain pixels is asked for, as in Kasarla 2019, section 3.2: an oracle
labels single pixels, a person would not. Under a budget in clicks it is the vehicle's groups here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.choices import Budget, Choice, fitting, region_choices
from edgeseg.active.methods.base import Method, MethodOptions, Round, ranked
from edgeseg.active.scoring.score import checked_score
from edgeseg.device import strategies
from edgeseg.device.regions import areas, outlines
from edgeseg.device.strategies import Strategy, StrategyOptions
from edgeseg.device.strategies.pixelwise import Pixelwise, groups
from edgeseg.device.view import FrameView
from edgeseg.files import digest_text


class VehicleMethod(Method):
    """Ranks the untouched frames of Q by a strategy's score, takes the next group, and of each the share m.

    Args:
        name: Of the strategy, or ``package.module:Class``.
        options: Its own are ``OWN_OPTIONS``.
    """

    OWN_OPTIONS: ClassVar[dict[str, Any]] = {
        "region_score": "mean",
        "regions": None,
        "edge_weight": 1.5,
        "crf": "superpixel",
        "dropout_passes": 8,
        "dropout_score": "entropy",
    }
    """Of ``StrategyOptions``. Under a budget of pixels a region is worth its mean, not its sum."""

    def __init__(self, name: str, options: MethodOptions) -> None:
        super().__init__(options)
        self.name = name
        self.own = options.take(**self.OWN_OPTIONS)
        self.members = name == "committee"
        # A committee cannot be made before its members are there.
        self.needs = ("class_map",) if self.members else strategies.build(name, self._options()).needs

    def select(self, state: Round) -> Iterator[Choice]:
        """Regions of the group's frames, frame by frame."""
        with strategies.opened(self.name, self._options(state.committee)) as strategy:
            group = [index for index, _ in ranked(self._scores(strategy, state))][: state.group]
            left = state.budget.amount
            for number, index in enumerate(group):
                # What earlier frames left goes to the later ones; under a budget in pixels none gets more than m.
                allowed = Budget(state.budget.unit, left // (len(group) - number))
                for choice in self._of_frame(strategy, state, index, allowed):
                    left -= state.budget.cost(choice)
                    yield choice

    def _options(self, committee: tuple[Path, ...] = ()) -> StrategyOptions:
        share, seed = self.options.share, self.options.seed
        return StrategyOptions(region_share=share, seed=seed, committee=committee, **self.own)

    def _scores(self, strategy: Strategy, state: Round) -> Iterable[tuple[int, float]]:
        """Each untouched frame and its score."""
        untouched = state.pool.untouched()
        if state.remote is not None:
            return state.remote.scores(self.name, self._options(state.committee), untouched)
        return ((i, checked_score(self.name, strategy, state.view(i)).value) for i in untouched)

    def _of_frame(self, strategy: Strategy, state: Round, index: int, allowed: Budget) -> Iterator[Choice]:
        view = state.view(index)
        if allowed.unit == "pixels":
            most = int(self.options.share * state.pool.pixels(index))
            if isinstance(strategy, Pixelwise) and (self.own["regions"] or strategy.own_regions) == "pixels":
                yield self._single_pixels(strategy, view, index, min(most, allowed.amount))
                return
            allowed = Budget("pixels", min(most, allowed.amount))
        verdict = checked_score(self.name, strategy, view)
        order = np.argsort(-verdict.region_values, kind="stable")
        if allowed.unit == "pixels":  # outlines cost time, so only of what will be taken
            order = order[fitting(areas(verdict.labels)[order], allowed.amount)]
        yield from allowed.filled(region_choices(index, verdict.labels, order, verdict.region_values))

    def _single_pixels(self, strategy: Pixelwise, view: FrameView, index: int, count: int) -> Choice:
        uncertainty = strategy.uncertainty(view)
        draw = np.random.default_rng(int(digest_text(f"{self.options.seed}/{view.frame.id}")[:16], 16))
        pixels = highest_pixels(uncertainty, count, draw)
        mask = np.zeros(uncertainty.size, bool)
        mask[pixels] = True
        labels = groups(mask.reshape(uncertainty.shape), smallest_px=1)
        clicks = sum(outline.clicks for outline in outlines(labels, np.arange(labels.max() + 1, dtype=np.intp)))
        return Choice(index, pixels, clicks, float(uncertainty.ravel()[pixels].mean()) * strategy.step(view))


def highest_pixels(values: NDArray[np.uint8], count: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Flat positions of the ``count`` highest of (H, W) values, rising; which of equal ones is drawn."""
    ties = draw.random(values.size)
    return np.sort(np.lexsort((ties, -values.ravel().astype(np.int16)))[:count])
