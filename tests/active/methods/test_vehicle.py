from __future__ import annotations

import numpy as np

from edgeseg.active.methods.vehicle import highest_pixels


def test_highest_pixels_are_those_of_a_full_sort_and_ties_are_drawn() -> None:
    values = np.random.default_rng(0).integers(0, 6, (12, 9)).astype(np.uint8)
    found = highest_pixels(values, 40, np.random.default_rng(1))
    assert len(set(found.tolist())) == 40 and (np.diff(found) > 0).all()
    flat = values.ravel()
    assert sorted(flat[found].tolist()) == sorted(flat.tolist())[-40:]
    again = highest_pixels(values, 40, np.random.default_rng(1))
    other = highest_pixels(values, 40, np.random.default_rng(2))
    assert found.tolist() == again.tolist() != other.tolist()


def test_ties_lie_everywhere_in_the_frame() -> None:
    found = highest_pixels(np.full((100, 100), 255, np.uint8), 1000, np.random.default_rng(0))
    assert 4500 < found.mean() < 5500
