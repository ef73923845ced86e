"""Ways to cut a frame: connected components against scipy's, what is too small or unwanted, ids without gaps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from edgeseg.device import partition
from edgeseg.device.partition import components, outside, without_small
from edgeseg.device.superpixels import LARGEST, contiguous


def _blobs(seed: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A class map of smooth patches, five classes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((5, *shape)), (0, 4, 4))
    return np.asarray(noise.argmax(0), np.uint8)


def _same_partition(one: NDArray[np.int32], other: NDArray[np.int32]) -> bool:
    """Whether both put the same pixels together, whatever the ids."""
    pairs = len(np.unique(np.stack((one.ravel(), other.ravel())), axis=1).T)
    return pairs == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("seed", [0, 1])
def test_connected_pixels_of_a_class_are_scipys(seed: int) -> None:
    class_map = _blobs(seed, (61, 83))
    expected, first = np.zeros(class_map.shape, np.int32), 0
    for name in range(5):
        labels, count = ndimage.label(class_map == name)
        expected[labels > 0] = labels[labels > 0] + first
        first += count
    assert _same_partition(partition._connected(class_map), expected)


def test_components_are_whole_objects_unless_too_small_or_large() -> None:
    class_map = np.zeros((90, 120), np.uint8)
    class_map[10:30, 10:40] = 1  # 600 pixels: one region
    class_map[50:54, 50:54] = 2  # 16 pixels: none
    labels = components(class_map, 16)
    assert len(np.unique(labels[10:30, 10:40])) == 1
    assert (labels == labels[10, 10]).sum() == 600
    assert (labels[50:54, 50:54] == -1).all()
    sizes = np.bincount(labels[labels >= 0])
    assert sizes.max() <= LARGEST * 16 * 16, "the background was cut"
    assert (sizes > 0).all()


def test_regions_below_the_smallest_size_are_none() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int32), (3, 70, 10, 80))[None]
    assert without_small(labels, 64).ravel().tolist() == [-1] * 3 + [0] * 70 + [-1] * 10 + [1] * 80


def test_unwanted_pixels_belong_to_no_region() -> None:
    labels = np.array([[0, 0, 1, 1, 2, 2]], np.int32)
    ignored = np.array([[True, False, True, True, False, False]])
    assert outside(labels, ignored).tolist() == [[-1, 0, -1, -1, 1, 1]]


@pytest.mark.parametrize("largest", [40, 1 << 23])
def test_renumbering_keeps_order_and_what_is_outside(largest: int) -> None:
    labels = np.array([[-1, 7, 7, largest, 9]], np.int32)
    assert contiguous(labels).tolist() == [[-1, 0, 0, 2, 1]]
    assert contiguous(np.abs(labels)).tolist() == [[0, 1, 1, 3, 2]]
