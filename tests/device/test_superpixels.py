"""Superpixels: ids without gaps, sizes about as asked, boundaries where the image has them, odd frames."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device import superpixels as module
from edgeseg.device.superpixels import superpixels
from edgeseg.errors import ConfigError


@pytest.fixture(params=[True, False], ids=["fast-slic", "opencv"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not module.has_fast_slic():
        pytest.skip("fast-slic is not installed (extra regions)")
    monkeypatch.setattr(module, "has_fast_slic", lambda: request.param)


def _halves() -> NDArray[np.uint8]:
    image = np.full((200, 300, 3), 60, np.uint8)
    image[:, 137:] = (200, 180, 30)
    return image


def _check_ids(labels: NDArray[np.int32], shape: tuple[int, int]) -> None:
    assert labels.shape == shape
    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1)), "ids run from 0 without gaps"


@pytest.mark.usefixtures("implementation")
def test_superpixels_have_about_the_wanted_size() -> None:
    labels = superpixels(_halves(), 1400)
    _check_ids(labels, (200, 300))
    assert pytest.approx(labels.max() + 1, rel=0.35) == 200 * 300 / 1400


@pytest.mark.usefixtures("implementation")
def test_superpixels_keep_to_an_edge_of_the_image() -> None:
    labels = superpixels(_halves(), 1400)
    crossing = set(np.unique(labels[:, :136])) & set(np.unique(labels[:, 139:]))
    assert not crossing, "a superpixel spans both halves"


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("shape", [(240, 320), (80, 700)])
def test_noise_gives_no_giant_superpixel(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    labels = superpixels(noise, 1400)
    _check_ids(labels, shape)
    assert np.bincount(labels.ravel()).max() <= 4 * 1400


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (40, 60), (10, 900)])
def test_small_frames_are_cut_along_a_grid(shape: tuple[int, int]) -> None:
    _check_ids(superpixels(np.zeros((*shape, 3), np.uint8), 1400), shape)


@pytest.mark.usefixtures("implementation")
def test_black_frame_is_cut_evenly() -> None:
    sizes = np.bincount(superpixels(np.zeros((240, 320, 3), np.uint8), 1400).ravel())
    assert sizes.max() < 2 * 1400


def test_cutting_large_ones_never_joins_two() -> None:
    labels = np.zeros((100, 400), np.int32)
    labels[:, 200:] = np.arange(20_000, dtype=np.int32).reshape(100, 200) % 97 + 1
    cut = module.cut_large(labels, 10)
    for superpixel in np.unique(cut):
        assert len(np.unique(labels[cut == superpixel])) == 1


def test_too_many_superpixels_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs at least 35 pixels"):
        superpixels(np.zeros((1024, 1024, 3), np.uint8), 20)
