"""Strategies: what each scores, how they are found, and what a wrong name is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.regions import areas, choose
from edgeseg.device.strategies import STRATEGIES, StrategyOptions, build
from edgeseg.device.strategies.entropy import SMALLEST_PX, groups, top_pixels
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame


@pytest.fixture
def view(scene: Callable[[int], NDArray[np.uint8]], runner: Any) -> FrameView:
    image = scene(40)
    return FrameView(Frame(image, "f1", 1, None, "drive"), runner.infer(image), runner.info, 300)


@pytest.mark.parametrize("name", STRATEGIES)
def test_regions_cover_ids_without_gaps(view: FrameView, name: str) -> None:
    score = build(name, StrategyOptions()).score(view)
    assert score.labels.shape == view.frame.image.shape[:2]
    assert len(score.region_values) == score.labels.max() + 1
    assert (areas(score.labels) > 0).all()


@pytest.mark.parametrize("name", ["entropy", "superpixel"])
def test_uncertain_square_is_what_is_chosen(view: FrameView, name: str) -> None:
    score = build(name, StrategyOptions(region_score="mean")).score(view)
    chosen = choose(score.labels, score.region_values, 0.1)
    mask = np.isin(score.labels, chosen)
    square = np.zeros_like(mask)
    square[40:72, 60:100] = True
    assert (mask & square).sum() > 0.95 * square.sum()
    assert mask.sum() <= 0.1 * mask.size
    assert score.value == pytest.approx(view.outputs["frame_entropy"])


def test_superpixel_sum_is_in_nats(view: FrameView) -> None:
    score = build("superpixel", StrategyOptions()).score(view)
    expected = view.entropy[score.labels == 3].astype(float).sum() * math.log(4) / 255
    assert score.region_values[3] == pytest.approx(expected)
    assert score.region_unit == "nats"
    assert build("superpixel", StrategyOptions(region_score="mean")).score(view).region_unit == "nats/px"


def test_random_repeats_itself_and_follows_seed_and_frame(view: FrameView, runner: Any) -> None:
    first = build("random", StrategyOptions()).score(view)
    assert build("random", StrategyOptions()).score(view).value == first.value
    assert build("random", StrategyOptions(seed=1)).score(view).value != first.value
    other = FrameView(replace(view.frame, id="f2"), view.outputs, runner.info, 300)
    assert build("random", StrategyOptions()).score(other).value != first.value


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 1.0])
def test_top_pixels_agree_with_sorting(share: float) -> None:
    entropy = np.random.default_rng(0).integers(0, 256, (50, 60), np.uint8)
    mask = top_pixels(entropy, share)
    ranked = np.sort(entropy.ravel())[::-1]
    limit = int(share * entropy.size)
    level = next(v for v in range(1, 257) if (ranked >= v).sum() <= limit)
    assert np.array_equal(mask, entropy >= level)


def test_top_pixels_of_a_sure_frame_are_none() -> None:
    assert not top_pixels(np.zeros((5, 5), np.uint8), 0.1).any()


def test_groups_leave_out_what_is_too_small_to_label() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:12, 2:12] = mask[20:30, 20:30] = True
    mask[35, 35] = True
    labels = groups(mask)
    assert labels.max() == 1
    assert areas(labels).tolist() == [100, 100]
    assert labels[35, 35] == -1
    assert SMALLEST_PX <= 100


def test_own_class_is_found_by_its_module() -> None:
    made = build("edgeseg.device.strategies.entropy:Entropy", StrategyOptions())
    assert made.name == "entropy"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("entorpy", r"'entorpy' is unknown; choose from random, entropy, superpixel"),
        ("no.such.module:Thing", "cannot be made"),
        ("edgeseg.device.strategies.entropy:Thing", "cannot be made"),
        ("pathlib:Path", r"cannot be made|lacks"),
        ("builtins:repr", "lacks name, needs, score"),
    ],
)
def test_wrong_strategy_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, StrategyOptions())
