from __future__ import annotations

import math

import pytest

from edgeseg.students.groups import ScheduleSettings
from edgeseg.students.schedule import rate_factor


def test_poly_without_warmup_is_the_formula() -> None:
    settings = ScheduleSettings(kind="poly", power=0.9, warmup_epochs=0)
    factors = [rate_factor(settings, i, 100, 10) for i in (0, 50, 99)]
    assert factors == pytest.approx([1.0, 0.5**0.9, 0.01**0.9])


def test_cosine_falls_to_half_in_the_middle() -> None:
    settings = ScheduleSettings(kind="cosine", warmup_iterations=20)
    factors = [rate_factor(settings, i, 120, 10) for i in (20, 70, 119)]
    assert factors == pytest.approx([1.0, 0.5, 0.5 * (1 + math.cos(0.99 * math.pi))])


def test_warmup_rises_linearly_to_the_base_rate() -> None:
    settings = ScheduleSettings(kind="constant", warmup_epochs=0.5)
    assert [rate_factor(settings, i, 100, 8) for i in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_warmup_longer_than_the_training_never_divides_by_zero() -> None:
    settings = ScheduleSettings(warmup_iterations=1000)
    assert [rate_factor(settings, i, 3, 3) for i in range(3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_single_iteration_runs_at_the_base_rate() -> None:
    assert rate_factor(ScheduleSettings(), 0, 1, 1) == 1.0
