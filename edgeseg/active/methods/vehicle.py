"""Any strategy of the vehicle as a method: the frames of highest score, and of each the regions of highest value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.choices import Budget, Choice, region_choices
from edgeseg.active.methods.base import Method, MethodOptions, Round, ranked
from edgeseg.device import strategies
from edgeseg.device.regions import choose
from edgeseg.device.strategies import FrameScore, Strategy, StrategyOptions
from edgeseg.errors import DataError

OWN_OPTIONS: dict[str, Any] = {"region_score": "mean", "regions": None, "edge_weight": 1.5, "crf": "superpixel"}
"""Options of ``StrategyOptions`` that a run may set. Under a budget of pixels a region is worth its mean."""


class VehicleMethod(Method):
    """Ranks the untouched frames of Q by a strategy's score, takes the next group, and of each its share of regions.

    Args:
        name: Of the strategy, or ``package.module:Class``.
        options: Its own are ``OWN_OPTIONS``.
    """

    def __init__(self, name: str, options: MethodOptions) -> None:
        super().__init__(options)
        self.name = name
        self.own = options.take(**OWN_OPTIONS)
        self.members = name == "committee"
        # A committee cannot be made before its members are there.
        self.needs = ("class_map",) if self.members else self._made(()).needs

    def select(self, state: Round) -> Iterator[Choice]:
        """Regions of the group's frames, frame by frame."""
        strategy = self._made(state.committee)
        close = getattr(strategy, "close", None)
        with closing(strategy) if close else nullcontext():  # type: ignore[type-var]
            scored = ((i, self._score(strategy, state, i).value) for i in state.pool.untouched())
            group = [index for index, _ in ranked(scored)][: state.group]
            left = state.budget.amount
            for number, index in enumerate(group):
                allowed = Budget(state.budget.unit, left // (len(group) - number))
                for choice in self._of_frame(strategy, state, index, allowed):
                    left -= state.budget.cost(choice)
                    yield choice

    def _made(self, committee: tuple[Any, ...]) -> Strategy:
        return strategies.build(
            self.name,
            StrategyOptions(region_share=self.options.share, seed=self.options.seed, committee=committee, **self.own),
        )

    def _score(self, strategy: Strategy, state: Round, index: int) -> FrameScore:
        verdict = strategy.score(state.view(index))
        if not (math.isfinite(verdict.value) and np.isfinite(verdict.region_values).all()):
            raise DataError(f"frame {index} of Q: strategy {self.name} gave a score that is not finite")
        return verdict

    def _of_frame(self, strategy: Strategy, state: Round, index: int, allowed: Budget) -> Iterator[Choice]:
        verdict = self._score(strategy, state, index)
        chosen = _within(verdict, self.options.share if allowed.unit == "pixels" else 1.0)
        return allowed.taken(region_choices(index, verdict.labels, chosen, verdict.region_values))


def _within(verdict: FrameScore, share: float) -> NDArray[np.intp]:
    return choose(verdict.labels, verdict.region_values, share)
