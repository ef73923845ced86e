from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from edgeseg.deploy.parity.view import cell_means, entropy_map, rank_correlation, seen_label, top_cells
from edgeseg.preprocess import Preprocess


def test_entropy_map_is_the_definition():
    logits = np.random.default_rng(0).normal(0, 3, (5, 7, 9)).astype(np.float32)
    probs = np.exp(logits / 2.0) / np.exp(logits / 2.0).sum(0)
    assert entropy_map(logits, 2.0) == pytest.approx(-(probs * np.log(probs)).sum(0), abs=1e-5)


def test_cell_means_average_partial_cells_too():
    values = np.random.default_rng(0).random((70, 33)).astype(np.float32)
    slow = [[values[r : r + 32, c : c + 32].mean() for c in (0, 32)] for r in (0, 32, 64)]
    assert cell_means(values) == pytest.approx(np.array(slow), abs=1e-6)


def test_top_cells_are_a_tenth_and_at_least_one():
    values = np.random.default_rng(0).permutation(40).reshape(5, 8).astype(np.float32)
    assert sorted(values.ravel()[top_cells(values)]) == [36, 37, 38, 39]
    assert list(top_cells(np.zeros((2, 2), np.float32))) == [0]


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_agrees_with_scipy(ties):
    a, b = np.random.default_rng(0).random((2, 40))
    if ties:
        a, b = a.round(1), b.round(1)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0]])
def test_rank_correlation_is_undefined_without_order(values):
    assert rank_correlation(np.array(values), np.array(values)) is None


@pytest.mark.parametrize(
    ("resize", "rows", "columns"),
    [
        ("stretch", np.arange(4), np.arange(4)),
        ("letterbox", np.array([-9, 0, 1, -9]), np.arange(4)),  # the frame lies in rows 1 and 2 of the input
        ("crop", np.arange(4), np.array([2, 3, 4, 5])),  # two columns are cut off on either side
    ],
)
def test_a_label_is_seen_where_the_network_sees_the_frame(resize, rows, columns):
    label = np.random.default_rng(0).integers(0, 9, (40, 80)).astype(np.uint8)
    height, width = {"stretch": (4, 4), "letterbox": (2, 4), "crop": (4, 8)}[resize]
    expected = np.full((4, 4), 255)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row >= 0:
                expected[i, j] = label[int((row + 0.5) * 40 / height), int((column + 0.5) * 80 / width)]
    assert seen_label(label, Preprocess(4, 4, resize=resize), (20, 40)).tolist() == expected.tolist()
