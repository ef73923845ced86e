"""PixelPick's choice, against the choice written out pixel by pixel."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from edgeseg.active.methods import sparse_pixels
from edgeseg.active.methods.sparse_pixels import draw_any, draw_uncertain, margin


def _probs(height: int = 20, width: int = 30, classes: int = 5) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(classes), (height, width)).transpose(2, 0, 1).astype(np.float32)


def _top2(probs: np.ndarray) -> np.ndarray:
    return -np.sort(-probs, axis=0)[:2]


def test_margin_is_the_lead_of_the_best_class_pixel_by_pixel() -> None:
    probs = _probs()
    found = margin(_top2(probs))
    for y in range(20):
        for x in range(30):
            first, second = sorted(probs[:, y, x].tolist())[-1:-3:-1]
            assert found[y, x] == pytest.approx(first - second, abs=1e-6)


def test_pixels_come_from_the_least_certain_share_and_each_of_them_in_turn() -> None:
    margins = margin(_top2(_probs()))
    nothing = np.zeros((20, 30), bool)
    least = set(sorted(range(600), key=lambda place: margins.flat[place])[:30])
    drawn = [draw_uncertain(margins, nothing, 10, 0.05, np.random.default_rng(seed)) for seed in range(400)]
    assert all(len(set(places.tolist())) == 10 and set(places.tolist()) <= least for places in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=600)[sorted(least)]
    # 400 draws of 10 of 30: 133.3 each, with a standard deviation of 9.4.
    assert np.abs(counts - 400 / 3).max() < 4 * 9.4


def test_the_share_never_stands_for_fewer_pixels_than_are_wanted() -> None:
    margins = np.arange(100, dtype=np.float32).reshape(10, 10)
    places = draw_uncertain(margins, np.zeros((10, 10), bool), 10, 0.05, np.random.default_rng(0))
    assert places.tolist() == list(range(10))


def test_labeled_pixels_are_not_drawn_again_and_do_not_narrow_the_share() -> None:
    margins = np.arange(400, dtype=np.float32).reshape(20, 20)
    labeled = margins < 15
    drawn = np.concatenate(
        [draw_uncertain(margins, labeled, 5, 0.05, np.random.default_rng(seed)) for seed in range(200)]
    )
    assert set(drawn.tolist()) == set(range(15, 35))


def test_an_image_with_little_left_gives_what_it_has() -> None:
    labeled = np.ones((4, 4), bool)
    labeled[2, 1] = labeled[3, 3] = False
    margins = np.zeros((4, 4), np.float32)
    assert draw_uncertain(margins, labeled, 10, 0.05, np.random.default_rng(0)).tolist() == [9, 15]
    assert draw_any(labeled, 10, np.random.default_rng(0)).tolist() == [9, 15]


def test_first_round_draws_from_the_whole_image() -> None:
    labeled = np.zeros((6, 5), bool)
    labeled[0] = True
    drawn = np.concatenate([draw_any(labeled, 3, np.random.default_rng(seed)) for seed in range(300)])
    assert set(drawn.tolist()) == set(range(5, 30))


def test_no_truth_reaches_the_choice() -> None:
    for choice in (draw_uncertain, draw_any):
        assert not {"label", "labels", "truth", "void"} & set(inspect.signature(choice).parameters)
    assert "IGNORE_INDEX" not in vars(sparse_pixels)
