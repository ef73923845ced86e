"""ClassBal on a stream against a slow version: region by region, with counts of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.frames import Frame


def _view(image: NDArray[np.uint8], runner: Any) -> FrameView:
    return FrameView(Frame(image, "f", 1, None, "drive"), runner.infer(image), runner.info, 300, runner.infer)


def test_regions_of_what_the_drive_showed_often_count_less(
    scene: Callable[[int], NDArray[np.uint8]], runner: Any
) -> None:
    strategy = build("class-balanced-superpixel", StrategyOptions(region_score="mean"))
    shown: Counter[int] = Counter()
    for level in (40, 90, 40):
        view = _view(scene(level), runner)
        score = strategy.score(view)
        first, second = view.outputs["top2_probs"]
        doubt = view.in_camera_pixels(np.rint(255 * second / first).astype(np.uint8)) / 255
        masks = [score.labels == region for region in range(score.labels.max() + 1)]
        classes = [Counter(view.class_map[mask].tolist()).most_common(1)[0][0] for mask in masks]
        shown.update(classes)
        expected = [
            doubt[mask].mean() * math.exp(-shown[c] / shown.total()) for mask, c in zip(masks, classes, strict=True)
        ]
        np.testing.assert_allclose(score.region_values, expected, rtol=1e-6)
        assert score.value == pytest.approx(
            doubt.mean() * sum(expected) / sum(doubt[mask].mean() for mask in masks), rel=1e-6
        )
