"""The CRF over regions against loops over pairs, its limits, and the weights that travel with a model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from edgeseg.device import crf
from edgeseg.device.crf import CrfWeights, entropy, fitted_weights, mean_field, pairwise
from edgeseg.errors import ConfigError, ModelError

WEIGHTS = CrfWeights(0.8, 2.0, 30.0, 1.5, 1.2, 3)


@pytest.fixture
def regions() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Places, colours and probabilities of twelve regions."""
    draw = np.random.default_rng(0)
    places = draw.uniform(0, 5, (12, 2)).astype(np.float32)
    colours = draw.uniform(0, 255, (12, 3)).astype(np.float32)
    return places, colours, draw.dirichlet(np.ones(4), 12).astype(np.float32)


def _slow_matrix(places: NDArray[np.float32], colours: NDArray[np.float32], weights: CrfWeights) -> NDArray[np.float64]:
    def near(i: int, j: int) -> float:
        return math.exp(-(math.dist(places[i], places[j]) ** 2) / (2 * weights.smoothness_sides**2))

    def alike(i: int, j: int) -> float:
        place = math.dist(places[i], places[j]) ** 2 / (2 * weights.appearance_sides**2)
        return math.exp(-place - math.dist(colours[i], colours[j]) ** 2 / (2 * weights.appearance_colours**2))

    count = len(places)
    total = np.zeros((count, count))
    for kernel, weight in ((near, weights.smoothness_weight), (alike, weights.appearance_weight)):
        rows = [sum(kernel(i, j) for j in range(count) if j != i) for i in range(count)]
        for i in range(count):
            for j in range(count):
                total[i, j] += weight * kernel(i, j) / math.sqrt(rows[i] * rows[j]) if i != j else 0
    return total


def test_matrix_agrees_with_a_loop_over_pairs(regions: Any) -> None:
    places, colours, _ = regions
    assert pairwise(places, colours, WEIGHTS) == pytest.approx(_slow_matrix(places, colours, WEIGHTS), rel=1e-4)


def test_mean_field_agrees_with_a_loop_over_pairs(regions: Any) -> None:
    places, colours, probs = regions
    matrix = _slow_matrix(places, colours, WEIGHTS)
    expected = probs.astype(float)
    for _ in range(3):
        former, expected = expected, np.zeros_like(expected)
        for i in range(12):
            for c in range(4):
                expected[i, c] = probs[i, c] * math.exp(sum(matrix[i, j] * former[j, c] for j in range(12)))
            expected[i] /= expected[i].sum()
    found, message = mean_field(probs, pairwise(places, colours, WEIGHTS), 3)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found == pytest.approx(crf.softmax(np.log(probs) + message), abs=1e-6)


def test_two_regions_have_a_closed_form() -> None:
    # With one neighbour each kernel normalises to 1, whatever its width: the message is (w₁ + w₂) times its Q.
    places, colours = np.array([[0, 0], [0, 1]], np.float32), np.zeros((2, 3), np.float32)
    probs = np.array([[0.6, 0.4], [0.9, 0.1]], np.float32)
    found, message = mean_field(probs, pairwise(places, colours, replace(WEIGHTS, iterations=1)), 1)
    assert message[0] == pytest.approx(2.3 * probs[1], rel=1e-5)
    odds = 0.6 / 0.4 * math.exp(2.3 * (0.9 - 0.1))
    assert found[0, 0] == pytest.approx(odds / (1 + odds), rel=1e-5)


def test_weights_of_zero_change_nothing(regions: Any) -> None:
    places, colours, probs = regions
    nothing = replace(WEIGHTS, appearance_weight=0.0, smoothness_weight=0.0)
    found, message = mean_field(probs, pairwise(places, colours, nothing), 5)
    assert found == pytest.approx(probs, abs=1e-6)
    assert not message.any()


def test_one_region_alone_stays_as_it_is() -> None:
    probs = np.array([[0.3, 0.7]], np.float32)
    matrix = pairwise(np.zeros((1, 2), np.float32), np.zeros((1, 3), np.float32), WEIGHTS)
    assert mean_field(probs, matrix, 5)[0] == pytest.approx(probs)


def test_entropy_is_scipys() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(5), 9).astype(np.float32)
    assert entropy(probs) == pytest.approx(stats.entropy(probs, axis=1), rel=1e-5)


def test_too_many_regions_are_refused() -> None:
    many = np.zeros((crf.MOST_REGIONS + 1, 2), np.float32)
    with pytest.raises(ConfigError, match="6001 are more than 6000; make regions larger with superpixel_px"):
        pairwise(many, np.zeros((len(many), 3), np.float32), WEIGHTS)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("appearance_weight", -1.0, "weights of the CRF must be 0 or more"),
        ("appearance_colours", 0.0, "widths of the CRF must be above 0"),
        ("iterations", 0, "needs 1 iteration or more"),
    ],
)
def test_wrong_weights_are_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(WEIGHTS, **{field: value})


def test_weights_travel_with_the_model(runner: Any) -> None:
    assert fitted_weights(runner.info) is None
    assert fitted_weights(runner.info.with_extra(crf={"weights": WEIGHTS.to_dict()})) == WEIGHTS
    for wrong in ({}, {"weights": {"w1": 3}}, {"weights": {**WEIGHTS.to_dict(), "iterations": 0}}):
        with pytest.raises(ModelError, match=r"CRF weights are malformed.*edgeseg crf fit"):
            fitted_weights(runner.info.with_extra(crf=wrong))
