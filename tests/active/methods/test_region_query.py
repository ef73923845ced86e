from __future__ import annotations

import numpy as np

from edgeseg.active.methods.region_query import best_of_image, region_means
from edgeseg.device.superpixels import grid


def _case() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).random((10, 13)).astype(np.float32)
    return values, grid(10, 13, 4)  # three rows of four squares, cut off at the border


def test_means_equal_the_loops() -> None:
    values, regions = _case()
    labeled = np.random.default_rng(1).random((10, 13)) < 0.3
    found = region_means(values, regions, labeled)
    for region in range(12):
        inside = [(y, x) for y, x in np.ndindex(10, 13) if regions[y, x] == region]
        expected = sum(0 if labeled[spot] else float(values[spot]) for spot in inside) / len(inside)
        assert np.isclose(found[region], expected)


def test_pixels_outside_all_regions_count_nowhere() -> None:
    values, regions = np.array([[1, 5, 3]], np.float32), np.array([[0, -1, 0]], np.int32)
    assert region_means(values, regions).tolist() == [2.0]


def test_labeled_region_is_never_asked_for_again() -> None:
    values, regions = _case()
    best = best_of_image(region_means(values, regions), 1)[0]
    again = best_of_image(region_means(values, regions, regions == best), 12)
    assert best not in again and len(again) == 11


def test_best_are_sorted_and_equals_go_by_id() -> None:
    assert best_of_image(np.array([0.2, 0.9, 0.0, 0.9, 0.5]), 3) == [1, 3, 4]
    assert best_of_image(np.array([0.2, 0.9, 0.0, 0.9, 0.5]), 9) == [1, 3, 4, 0]
