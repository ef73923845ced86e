"""ClassBal's scores, against the paper's formula written out superpixel by superpixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeseg.active.methods.class_balance import balanced_scores, class_weights, global_top
from edgeseg.device.strategies.class_balanced_superpixel import runner_up


def test_runner_up_is_one_where_two_classes_tie_and_nothing_where_one_is_sure() -> None:
    top2 = np.array([[[0.5, 1.0, 0.6]], [[0.5, 0.0, 0.3]]], np.float32)
    assert runner_up(top2)[0].tolist() == pytest.approx([1, 0, 0.5])


def test_class_weights_are_the_closed_form() -> None:
    found = class_weights(np.array([0, 0, 0, 2, -1]), 4)
    assert found.tolist() == pytest.approx([math.exp(-3 / 5), 1, math.exp(-1 / 5), 1])


def test_scores_equal_the_formula_superpixel_by_superpixel() -> None:
    rng = np.random.default_rng(4)
    uncertainty, classes = rng.random(50) * 0.4 + 0.1, rng.integers(0, 5, 50)
    picked = rng.random(50) < 0.2
    found = balanced_scores(uncertainty, classes, picked, 5)
    low, high = min(uncertainty), max(uncertainty)
    for i in range(50):
        same = sum(1 for other in classes if other == classes[i])
        stretched = 0.0 if picked[i] else (uncertainty[i] - low) / (high - low)
        assert found[i] == pytest.approx(stretched * math.exp(-same / 50))


def test_rare_class_wins_among_equally_uncertain_ones() -> None:
    uncertainty = np.array([0.0, 0.5, 0.5, 0.5, 0.5])
    scores = balanced_scores(uncertainty, np.array([0, 0, 0, 0, 3]), np.zeros(5, bool), 4)
    assert scores.argmax() == 4


def test_superpixel_that_the_model_did_not_see_scores_nothing() -> None:
    scores = balanced_scores(np.array([0.0, 0.9, 0.3]), np.array([0, -1, 1]), np.zeros(3, bool), 2)
    assert scores[1] == 0


def test_equal_uncertainty_everywhere_leaves_the_classes_to_decide() -> None:
    scores = balanced_scores(np.full(4, 0.3), np.array([0, 0, 0, 1]), np.zeros(4, bool), 2)
    assert scores.argmax() == 3 and np.isfinite(scores).all()


def test_top_is_over_all_frames_without_what_was_picked_even_if_nothing_else_scores() -> None:
    scores, picked = np.array([0.2, 0.0, 0.9, 0.9, 0.0]), np.array([False, True, False, False, False])
    assert global_top(scores, picked, 2).tolist() == [2, 3]
    assert global_top(scores, picked, 9).tolist() == [2, 3, 0, 4]
