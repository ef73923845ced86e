"""Overlaps of regions and cells against a loop over pixels, for every way a frame lies in the network's input."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.pooling import CELL, STRIDE, overlaps
from edgeseg.preprocess import Preprocess, ResizeMode


def _scene() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.repeat(draw.integers(-1, 9, (8, 12)), 6, 0), 6, 1)[:47, :70].astype(np.int32)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32) - 1, draw.integers(
        0, 256, (47, 70, 3), np.uint8
    )


def _slowly(labels: NDArray[np.int32], preprocess: Preprocess) -> dict[tuple[int, int], int]:
    place = preprocess.placement(*labels.shape)
    across = -(-preprocess.width // CELL)
    counts: dict[tuple[int, int], int] = {}
    for y in range(0, labels.shape[0], STRIDE):
        for x in range(0, labels.shape[1], STRIDE):
            row = int((y + 0.5) * place.height / labels.shape[0]) + place.top
            column = int((x + 0.5) * place.width / labels.shape[1]) + place.left
            if labels[y, x] >= 0 and 0 <= row < preprocess.height and 0 <= column < preprocess.width:
                key = int(labels[y, x]), row // CELL * across + column // CELL
                counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
def test_overlaps_agree_with_a_loop_over_pixels(resize: ResizeMode) -> None:
    labels, image = _scene()
    preprocess = Preprocess(30, 52, resize=resize)
    found = overlaps(labels, image, preprocess)
    counts = dict(zip(zip(found.region.tolist(), found.cell.tolist(), strict=True), found.pixels.tolist(), strict=True))
    assert counts == _slowly(labels, preprocess)
    assert found.areas.tolist() == [
        sum(n for (region, _), n in counts.items() if region == r) for r in range(found.regions)
    ]


def test_means_over_regions_agree_with_a_loop() -> None:
    labels, image = _scene()
    preprocess = Preprocess(48, 72)
    found = overlaps(labels, image, preprocess)
    cells = np.random.default_rng(1).random((54, 5), np.float32)
    counts = _slowly(labels, preprocess)
    for region in range(found.regions):
        mine = {cell: n for (r, cell), n in counts.items() if r == region}
        expected = sum(n * cells[cell] for cell, n in mine.items()) / sum(mine.values())
        assert found.mean(cells)[region] == pytest.approx(expected, rel=1e-5)
        sampled = labels[::STRIDE, ::STRIDE] == region
        assert found.colours[region] == pytest.approx(image[::STRIDE, ::STRIDE][sampled].mean(0), rel=1e-5)
        assert found.centres[region] == pytest.approx(STRIDE * np.argwhere(sampled).mean(0), rel=1e-5)


def test_region_that_the_model_did_not_see_is_empty() -> None:
    labels = np.zeros((40, 200), np.int32)
    labels[:, :10] = 1
    found = overlaps(labels, np.zeros((40, 200, 3), np.uint8), Preprocess(40, 40, resize="crop"))
    assert found.areas[1] == 0
    assert not found.mean(np.ones((25, 2), np.float32))[1].any()


def test_nothing_but_what_is_outside_gives_no_regions() -> None:
    found = overlaps(np.full((20, 20), -1, np.int32), np.zeros((20, 20, 3), np.uint8), Preprocess(16, 16))
    assert (found.regions, len(found.region)) == (0, 0)
    assert found.mean(np.ones((4, 3), np.float32)).shape == (0, 3)
