from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import pytest
import torch

from edgeseg.students.losses import KLWeight
from edgeseg.students.losses.kl_weight import AVERAGED_ITERATIONS, MOST


def _at(value: float) -> torch.Tensor:
    return torch.tensor(value, requires_grad=True)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [2, 2, 2, 2]), ("linear", [2, 1.5, 1, 0]), ("cosine", [2, 1 + math.sqrt(0.5), 1, 0])],
)
def test_schedule_by_hand(schedule: Literal["constant", "linear", "cosine"], expected: list[float]) -> None:
    weight = KLWeight(2.0, schedule=schedule)
    found = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        weight.set_progress(progress)
        found.append(float(weight(None, _at(3.0))))
    assert found == pytest.approx(expected, abs=1e-6)


def test_auto_is_exact_from_the_first_iteration_on() -> None:
    weight = KLWeight("auto", ratio=0.5)
    assert float(weight(_at(2.0), _at(8.0))) == pytest.approx(0.5 * 2 / 8)


def test_auto_holds_the_ratio_of_terms_that_change() -> None:
    weight = KLWeight("auto", ratio=0.8)
    generator = torch.Generator().manual_seed(0)
    ce_sum = kl_sum = 0.0
    for number in range(2000):
        noise = torch.rand(2, generator=generator)
        ce, kl = float(2 * 0.999**number + noise[0]), float(30 * 0.9995**number + 5 * noise[1])
        factor = float(weight(_at(ce), _at(kl)))
        if number >= 1000:
            ce_sum, kl_sum = ce_sum + ce, kl_sum + factor * kl
    assert kl_sum / ce_sum == pytest.approx(0.8, rel=0.1)


def test_auto_averages_all_at_first_and_forgets_later() -> None:
    weight = KLWeight("auto")
    values = [1.0, 3.0, 8.0]
    for value in values:
        weight(_at(value), _at(1.0))
    assert float(weight.mean_ce) == pytest.approx(4.0)
    for _ in range(10 * AVERAGED_ITERATIONS):
        weight(_at(0.5), _at(1.0))
    assert float(weight.mean_ce) == pytest.approx(0.5, rel=1e-3)


def test_auto_follows_the_schedule_too() -> None:
    weight = KLWeight("auto", schedule="linear")
    weight.set_progress(0.75)
    assert float(weight(_at(2.0), _at(1.0))) == pytest.approx(0.5)


def test_no_gradient_flows_through_the_weight() -> None:
    ce, kl = _at(2.0), _at(4.0)
    (KLWeight("auto")(ce, kl) * kl).backward()
    assert ce.grad is None
    assert kl.grad is not None and float(kl.grad) == pytest.approx(0.5)


@pytest.mark.parametrize("ce", [0.0, math.nan, math.inf])
def test_iteration_without_usable_terms_changes_nothing(ce: float) -> None:
    weight = KLWeight("auto")
    weight(_at(2.0), _at(1.0))
    before = {name: value.clone() for name, value in weight.state_dict().items()}
    assert float(weight(_at(ce), _at(1.0))) == pytest.approx(2.0)
    assert all(torch.equal(value, before[name]) for name, value in weight.state_dict().items())


def test_student_that_agrees_with_its_teacher_gets_a_bounded_weight() -> None:
    assert float(KLWeight("auto")(_at(1.0), _at(1e-9))) == MOST


def test_state_goes_on_where_it_was() -> None:
    first, second = KLWeight("auto"), KLWeight("auto")
    for number in range(5):
        first(_at(1.0 + number), _at(2.0))
    second.load_state_dict(first.state_dict())
    found = [[float(w(_at(0.3 * n), _at(1.0))) for n in range(1, 4)] for w in (first, second)]
    assert found[0] == found[1]
    assert all(a != b for a, b in pairwise(found[0]))
