from __future__ import annotations

import numpy as np
import pytest

from edgeseg.active.methods.spread import Spread
from edgeseg.errors import TrainingError


def test_constant_maps_end_the_run_with_the_values_and_the_cure() -> None:
    spread = Spread("deal", "difficulty")
    for _ in range(3):
        spread.add(np.full((2, 2), 0.25, np.float32))
    with pytest.raises(
        TrainingError, match=r"deal: the difficulty is constant \(0.250000 to 0.250000 .* 3 frames\)"
    ) as e:
        spread.require()
    assert "train longer" in str(e.value)


def test_values_that_are_no_numbers_end_it_too() -> None:
    spread = Spread("deal", "difficulty")
    for last in (1.0, np.nan, 1.0):
        spread.add(np.array([0.0, last], np.float32))
    with pytest.raises(TrainingError, match="nan to nan"):
        spread.require()


def test_maps_that_are_constant_each_but_differ_say_something() -> None:
    spread = Spread("equal", "entropy", highest=4.0)
    spread.add(np.full((2, 2), 0.25, np.float32))
    spread.add(np.full((2, 2), 0.35, np.float32))
    spread.require()
