"""What a method asks the oracle, and the budget that bounds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.partition import components
from edgeseg.device.regions import outlines

BudgetUnit = Literal["pixels", "clicks"]
AnswerKind = Literal["pixels", "dominant"]


@dataclass(frozen=True)
class Choice:
    """Pixels of one frame that are asked for together: a region, a single pixel, or all that is left of a frame.

    Attributes:
        frame: Index in the pool.
        pixels: (P,) flat positions (row · W + column), rising, at least one.
        clicks: What the answer is expected to cost a labeler.
        value: What it is worth; told in the results, a higher one is worth more.
        answer: ``pixels`` gets every pixel's own label, ``dominant`` one label for all: that of most of them.
    """

    frame: int
    pixels: NDArray[np.int64]
    clicks: int
    value: float = 0.0
    answer: AnswerKind = "pixels"


@dataclass(frozen=True)
class Budget:
    """The most that may be asked for in one round.

    Attributes:
        unit: What is counted.
        amount: Most of it.
    """

    unit: BudgetUnit
    amount: int

    def cost(self, choice: Choice) -> int:
        """What a choice takes of it."""
        return choice.clicks if self.unit == "clicks" else len(choice.pixels)

    def taken(self, choices: Iterable[Choice]) -> Iterator[Choice]:
        """Choices from the first on, until the next would exceed the budget."""
        left = self.amount
        for choice in choices:
            left -= self.cost(choice)
            if left < 0:
                return
            yield choice

    def filled(self, choices: Iterable[Choice]) -> Iterator[Choice]:
        """Every choice, in order, that still fits when it comes; one that does not is passed over."""
        left = self.amount
        for choice in choices:
            if (cost := self.cost(choice)) <= left:
                left -= cost
                yield choice


def highest(choices: Iterable[Choice], budget: Budget) -> list[Choice]:
    """The choices of highest value that a budget allows, highest first; equal values by frame and first pixel.

    Keeps in memory about twice what the budget allows, however many choices come.
    """
    kept: list[Choice] = []
    cost = 0
    for choice in choices:
        kept.append(choice)
        cost += budget.cost(choice)
        if cost > 2 * budget.amount:
            kept = list(budget.taken(_sorted(kept)))
            cost = sum(map(budget.cost, kept))
    return list(budget.taken(_sorted(kept)))


def _sorted(choices: list[Choice]) -> list[Choice]:
    return sorted(choices, key=lambda c: (-c.value, c.frame, int(c.pixels[0])))


def region_choices(
    frame: int, labels: NDArray[np.int32], chosen: NDArray[np.intp], values: NDArray[np.float64]
) -> list[Choice]:
    """Choices of whole regions, with the clicks that the vehicle's records count.

    Args:
        frame: Index in the pool.
        labels: (H, W) int32 region ids, -1 outside all.
        chosen: (K,) region ids, in the order wanted.
        values: (R,) of all regions.
    """
    if not len(chosen):
        return []
    flat = labels.ravel()
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], [chosen, chosen + 1])
    clicks = [outline.clicks for outline in outlines(labels, chosen)]
    return [
        Choice(frame, order[start:end], cost, float(values[region]))
        for region, start, end, cost in zip(chosen, bounds[0], bounds[1], clicks, strict=True)
    ]


def frame_choice(
    frame: int, class_map: NDArray[np.uint8], value: float = 0.0, asked: NDArray[np.bool_] | None = None
) -> Choice:
    """A whole frame, or all of it that was not asked for; its clicks are those of outlining what the model sees in it.

    Args:
        frame: Index in the pool.
        class_map: (H, W) uint8, predicted train ids in camera pixels.
        value: Of the frame.
        asked: (H, W) bool, what was asked before.
    """
    segments = components(class_map, max(class_map.shape))
    found = outlines(segments, np.arange(segments.max() + 1, dtype=np.intp))
    free = np.arange(class_map.size) if asked is None else np.flatnonzero(~asked)
    return Choice(frame, free, sum(outline.clicks for outline in found), value)
