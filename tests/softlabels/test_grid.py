from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from edgeseg.softlabels.grid import axis, divergence, fit, grid_size, negentropy, positions
from edgeseg.softlabels.kernels import double, resample

Draw = Callable[..., NDArray[np.float32]]


def interpolated(grid: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """The softmax of torch's bilinear interpolation, which takes ``size`` for what the grid covers."""
    logits = functional.interpolate(torch.from_numpy(grid)[None], size, mode="bilinear", align_corners=False)[0]
    return torch.softmax(logits, 0).numpy()


def kernel(grid: NDArray[np.float32], size: tuple[int, int], stride: int) -> NDArray[np.float32]:
    out = np.empty((len(grid), *size), np.float32)
    down, across = (
        axis(positions(0, 1, pixels, stride), samples) for pixels, samples in zip(size, grid.shape[1:], strict=True)
    )
    resample(grid, *down, *across, out)
    return out


@pytest.fixture
def grid() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(scale=2, size=(5, 13, 22)).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_interpolation_is_torch_s(grid: NDArray[np.float32], stride: int) -> None:
    size = 13 * stride, 22 * stride
    np.testing.assert_allclose(kernel(grid, size, stride), interpolated(grid, size), rtol=3e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("window", "streamed"),
    [((0, 0, 26, 40), True), ((0, 0, 26, 40), False), ((3, 5, 1, 37), True), ((25, 43, 1, 1), True)],
)
def test_two_pixels_a_sample_equal_the_general_way(
    grid: NDArray[np.float32], window: tuple[int, int, int, int], streamed: bool
) -> None:
    top, left, height, width = window
    wide = np.pad(40 * grid / np.abs(grid).max(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    memory = np.empty(5 * height * width + 16, np.float32)
    start = -memory.ctypes.data % 32 // 4 + (0 if streamed else 1)
    out = memory[start : start + 5 * height * width].reshape(5, height, width)
    double(np.ascontiguousarray(wide), top // 2 + 1, left // 2 + 1, (top % 2, left % 2), out)
    expected = kernel(np.ascontiguousarray(wide[:, 1:-1, 1:-1]), (26, 44), 2)
    np.testing.assert_allclose(out, expected[:, top : top + height, left : left + width], rtol=2e-5, atol=1e-30)


@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("cut", [0, 1])
def test_grid_of_interpolated_logits_is_found(grid: NDArray[np.float32], stride: int, cut: int) -> None:
    probs = np.ascontiguousarray(interpolated(grid, (13 * stride, 22 * stride))[:, : 13 * stride - cut])
    found = fit(probs, stride)
    centred = grid - grid.mean(axis=0)
    assert found.shape == (5, grid_size(13 * stride - cut, stride), 22)
    np.testing.assert_allclose(found[:, :-1], centred[:, :-1], atol=2e-3)
    nats, agreed = divergence(found, probs, stride, negentropy(probs))
    assert abs(nats) <= 1e-6 and agreed >= 0.999


def test_stride_1_keeps_every_pixel(draw_probs: Draw) -> None:
    probs = draw_probs(4, 20, 30, temperature=8.0)
    grid = fit(probs, 1)
    odds = np.exp(grid)
    np.testing.assert_allclose(odds / odds.sum(axis=0), probs, atol=1e-6)


def test_divergence_is_its_definition(draw_probs: Draw, grid: NDArray[np.float32]) -> None:
    probs = draw_probs(5, 26, 44)
    q = kernel(grid, (26, 44), 2)
    expected = np.where(probs > 0, probs * (np.log(np.maximum(probs, 1e-37)) - np.log(q)), 0).sum(axis=0).mean()
    nats, agreed = divergence(grid, probs, 2, negentropy(probs))
    assert nats == pytest.approx(expected, rel=1e-4)
    assert agreed == pytest.approx((probs.argmax(axis=0) == q.argmax(axis=0)).mean(), abs=1e-3)
