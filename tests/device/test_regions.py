"""Regions: sums against a slow loop, choice under a budget, outlines against rasterisation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.regions import areas, choose, decode_rle, encode_rle, majority_class, outlines, region_values
from edgeseg.device.superpixels import superpixels


@pytest.fixture
def labels() -> NDArray[np.int32]:
    noise = np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8)
    smooth = cv2.GaussianBlur(cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC), (9, 9), 0)
    return superpixels(np.asarray(smooth, np.uint8), 300)


@pytest.fixture
def entropy() -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (120, 160), np.uint8)


def test_region_values_agree_with_a_loop_over_pixels(labels: NDArray[np.int32], entropy: NDArray[np.uint8]) -> None:
    labels[:10] = -1
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32) - 1
    sums = [0] * (labels.max() + 1)
    pixels = [0] * (labels.max() + 1)
    for region, value in zip(labels.ravel().tolist(), entropy.ravel().tolist(), strict=True):
        if region >= 0:
            sums[region] += value
            pixels[region] += 1
    assert region_values(labels, entropy, "sum").tolist() == sums
    assert areas(labels).tolist() == pixels
    expected = [s / n for s, n in zip(sums, pixels, strict=True)]
    assert region_values(labels, entropy, "mean") == pytest.approx(expected, rel=1e-12)


def test_choice_is_the_highest_values_within_the_share(labels: NDArray[np.int32], entropy: NDArray[np.uint8]) -> None:
    values = region_values(labels, entropy, "mean")
    chosen = choose(labels, values, 0.1)
    sizes = areas(labels)
    assert sizes[chosen].sum() <= 0.1 * labels.size
    assert values[chosen].tolist() == sorted(values, reverse=True)[: len(chosen)]
    following = np.argsort(-values, kind="stable")[len(chosen)]
    assert sizes[chosen].sum() + sizes[following] > 0.1 * labels.size, "one more would not have fitted"


def test_choice_takes_one_region_even_if_it_exceeds_the_share() -> None:
    halves = np.repeat(np.array([[0, 1]], np.int32), 10, axis=1)
    assert choose(halves, np.array([1.0, 2.0]), 0.1).tolist() == [1]


def test_choice_of_nothing_is_empty() -> None:
    nothing = np.full((4, 5), -1, np.int32)
    chosen = choose(nothing, np.zeros(0), 0.1)
    assert chosen.size == 0
    assert outlines(nothing, chosen) == []
    assert majority_class(nothing, np.zeros((4, 5), np.uint8), chosen) == []


def test_majority_class_agrees_with_a_loop(labels: NDArray[np.int32]) -> None:
    class_map = np.random.default_rng(3).integers(0, 4, labels.shape).astype(np.uint8)
    chosen = np.array([5, 0, 11], np.intp)
    expected = [int(np.bincount(class_map[labels == region]).argmax()) for region in chosen]
    assert majority_class(labels, class_map, chosen) == expected


def test_majority_class_of_unseen_pixels_is_none() -> None:
    regions = np.array([[0, 0, 1, 1, 1]], np.int32)
    class_map = np.array([[255, 255, 255, 2, 2]], np.uint8)
    assert majority_class(regions, class_map, np.array([0, 1], np.intp)) == [None, 2]


def test_rle_gives_the_mask_back(labels: NDArray[np.int32]) -> None:
    chosen = np.array([3, 20, 7], np.intp)
    for region, shape in zip(chosen, outlines(labels, chosen), strict=True):
        assert np.array_equal(decode_rle(shape.rle, *labels.shape), labels == region)


def test_rle_is_cocos_column_order() -> None:
    mask = np.array([[0, 1], [1, 1]], bool)
    positions = np.flatnonzero(mask.T.ravel())
    assert encode_rle(positions, 4) == (1, 3)
    assert encode_rle(np.array([0, 1, 3]), 6) == (0, 2, 1, 1, 2)


def test_polygons_drawn_again_cover_the_region(labels: NDArray[np.int32]) -> None:
    chosen = np.arange(labels.max() + 1, dtype=np.intp)
    for region, shape in zip(chosen, outlines(labels, chosen), strict=True):
        drawn = np.zeros(labels.shape, np.uint8)
        for ring in shape.polygons:
            cv2.fillPoly(drawn, [ring.reshape(-1, 1, 2)], 1)
        mask = labels == region
        missed = mask & (drawn == 0)
        assert not missed.any()
        holes = (drawn == 1) & ~mask
        assert holes.sum() == _holes(mask), "an outline covers its region and the holes in it, nothing else"


def _holes(mask: NDArray[np.bool_]) -> int:
    """Pixels outside the mask that no 4-connected path joins with the frame's border."""
    padded = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, pieces = cv2.connectedComponents(padded, connectivity=4)
    return int(((pieces != pieces[0, 0]) & (padded == 1)).sum())


def test_outline_of_two_pieces_has_two_polygons() -> None:
    regions = np.zeros((10, 30), np.int32)
    regions[2:6, 2:8] = regions[4:9, 20:28] = 1
    (shape,) = outlines(regions, np.array([1], np.intp))
    assert len(shape.polygons) == 2
    assert shape.clicks == 4 + 4 + 1, "two rectangles and one class"
    assert sorted(ring[:, 0].min() for ring in shape.polygons) == [2, 20]
