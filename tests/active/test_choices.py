from __future__ import annotations

import numpy as np
import pytest

from edgeseg.active.choices import Budget, Choice, frame_choice, highest, region_choices
from edgeseg.device.regions import outlines


def _choice(frame: int, start: int, count: int, value: float, clicks: int = 1) -> Choice:
    return Choice(frame, np.arange(start, start + count), clicks, value)


@pytest.mark.parametrize(("unit", "amount"), [("pixels", 30), ("clicks", 11), ("pixels", 1), ("clicks", 1000)])
def test_budget_takes_a_prefix_and_fills_with_what_fits(unit: str, amount: int) -> None:
    draw = np.random.default_rng(amount)
    choices = [_choice(0, 0, int(draw.integers(1, 12)), 0.0, clicks=int(draw.integers(1, 7))) for _ in range(20)]
    budget = Budget(unit, amount)  # type: ignore[arg-type]
    taken, filled = list(budget.taken(choices)), list(budget.filled(choices))
    assert taken == choices[: len(taken)]
    assert sum(map(budget.cost, taken)) <= amount and sum(map(budget.cost, filled)) <= amount
    if len(taken) < len(choices):
        assert sum(map(budget.cost, choices[: len(taken) + 1])) > amount
    left, expected = amount, []
    for choice in choices:
        cost = choice.clicks if unit == "clicks" else len(choice.pixels)
        if cost <= left:
            expected.append(choice)
            left -= cost
    assert filled == expected


def test_highest_is_what_sorting_everything_gives() -> None:
    draw = np.random.default_rng(3)
    choices = [_choice(int(draw.integers(4)), i, int(draw.integers(1, 9)), float(draw.integers(5))) for i in range(300)]
    budget = Budget("pixels", 90)
    order = sorted(choices, key=lambda c: (-c.value, c.frame, c.pixels[0]))
    assert highest(iter(choices), budget) == list(budget.taken(order))


def test_region_choices_are_the_pixels_of_each_region() -> None:
    labels = np.array([[0, 0, 2], [1, -1, 2], [1, 1, 2]], np.int32)
    values = np.array([0.5, 0.1, 0.9])
    chosen = np.array([2, 0], np.intp)
    found = region_choices(7, labels, chosen, values)
    assert [(c.frame, c.pixels.tolist(), c.value) for c in found] == [(7, [2, 5, 8], 0.9), (7, [0, 1], 0.5)]
    assert [c.clicks for c in found] == [outline.clicks for outline in outlines(labels, chosen)]
    assert region_choices(7, labels, np.zeros(0, np.intp), values) == []


def test_whole_frame_leaves_out_what_was_asked() -> None:
    class_map = np.zeros((20, 20), np.uint8)
    class_map[:, 10:] = 1
    whole = frame_choice(1, class_map, 0.5)
    assert whole.pixels.tolist() == list(range(400)) and whole.value == 0.5
    assert whole.clicks == 10  # two rectangles: four corners each, and a class
    asked = np.zeros((20, 20), bool)
    asked[0] = True
    assert frame_choice(1, class_map, asked=asked).pixels.tolist() == list(range(20, 400))
