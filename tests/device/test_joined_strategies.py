"""superpixel-crf and class-specific: entropies after the CRF, classes by features, equal shares of the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from edgeseg.device.crf import CrfWeights
from edgeseg.device.pooling import overlaps
from edgeseg.device.regions import areas, choose
from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.strategies.class_specific import equal_shares, most_similar
from edgeseg.device.strategies.superpixel_crf import SuperpixelCrf, cell_probs, left_share
from edgeseg.device.view import FrameView
from edgeseg.errors import ModelError
from edgeseg.frames import Frame

SILENT = CrfWeights(appearance_weight=0.0, smoothness_weight=0.0)


@pytest.fixture
def view(scene: Callable[[int], NDArray[np.uint8]], runner: Any) -> FrameView:
    image = scene(40)
    return FrameView(Frame(image, "f1", 1, None, "drive"), runner.infer(image), runner.info, 300)


def _with(view: FrameView, **extra: Any) -> FrameView:
    return FrameView(view.frame, view.outputs, view.info.with_extra(**extra), 300)


def test_without_messages_it_is_the_superpixels_own_entropy(view: FrameView) -> None:
    silent = _with(view, crf={"weights": SILENT.to_dict()})
    plain = build("superpixel", StrategyOptions()).score(view)
    assert build("superpixel-crf", StrategyOptions()).score(silent).region_values == pytest.approx(
        plain.region_values, rel=1e-4
    )


def test_messages_move_each_cell(view: FrameView) -> None:
    found, cells = overlaps(view.superpixels, view.frame.image, view.info.preprocess), cell_probs(view)
    message = np.random.default_rng(0).normal(size=(found.regions, 4)).astype(np.float32)
    mine = np.flatnonzero(found.region == 7)
    before = cells[found.cell[mine]]
    sums = [(stats.entropy(p, axis=1) * found.pixels[mine]).sum() for p in (before, before * np.exp(message[7]))]
    assert left_share(found, cells, message)[7] == pytest.approx(sums[1] / sums[0], rel=1e-4)


def test_neighbours_make_regions_surer(view: FrameView) -> None:
    alone = SuperpixelCrf(StrategyOptions()).joined(_with(view, crf={"weights": SILENT.to_dict()}))
    joined = SuperpixelCrf(StrategyOptions()).joined(view)
    assert joined.entropy.mean() < alone.entropy.mean()


def test_sum_is_the_mean_times_pixels_and_frames_go_by_their_mean(view: FrameView) -> None:
    sums = build("superpixel-crf", StrategyOptions()).score(view)
    means = build("superpixel-crf", StrategyOptions(region_score="mean")).score(view)
    assert sums.region_values == pytest.approx(means.region_values * areas(means.labels))
    assert sums.value == means.value == pytest.approx(sums.region_values.sum() / sums.labels.size)
    assert (sums.region_unit, means.region_unit) == ("nats", "nats/px")


def test_model_without_weights_is_told_how_to_fit_them(view: FrameView, capsys: pytest.CaptureFixture[str]) -> None:
    strategy = build("superpixel-crf", StrategyOptions())
    strategy.score(view)
    strategy.score(view)
    assert capsys.readouterr().err.count("fit its own with edgeseg crf fit") == 1


def test_regions_go_to_the_class_of_the_largest_cosine() -> None:
    draw = np.random.default_rng(0)
    features, prototypes = draw.normal(size=(20, 6)), draw.normal(size=(4, 6))
    prototypes[2] = np.nan
    cosines = [
        [-2 if c == 2 else f @ p / np.linalg.norm(f) / np.linalg.norm(p) for c, p in enumerate(prototypes)]
        for f in features
    ]
    found = most_similar(features.astype(np.float32), prototypes.astype(np.float32))
    assert found.tolist() == np.argmax(cosines, axis=1).tolist()


def test_each_class_gets_its_share_and_leaves_what_it_cannot_fill() -> None:
    classes = np.array([0] * 10 + [1] * 10 + [2] * 2)
    worth = np.concatenate((np.arange(10) + 100, np.arange(10), [5, 6])).astype(float)
    chosen = equal_shares(classes, worth, np.full(22, 10), 120)
    assert np.bincount(classes[chosen]).tolist() == [5, 5, 2]
    assert chosen.tolist() == [5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 21]


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_as_even_as_whole_regions_allow(seed: int) -> None:
    draw = np.random.default_rng(seed)
    classes, sizes, worth = draw.integers(0, 4, 200), draw.integers(5, 30, 200), draw.random(200)
    chosen = equal_shares(classes, worth, sizes, 1000)
    spent = np.bincount(classes[chosen], sizes[chosen])
    assert 1000 - 2 * 30 < spent.sum() <= 1000
    assert spent.max() - spent.min() <= 2 * 30
    for c in range(4):
        mine = classes == c
        assert set(chosen) & set(np.flatnonzero(mine)) == set(
            sorted(np.flatnonzero(mine), key=lambda i: -worth[i])[: int(np.isin(chosen, np.flatnonzero(mine)).sum())]
        )


def test_class_specific_chooses_of_every_class(runner: Any) -> None:
    image = np.random.default_rng(0).integers(0, 20, (120, 160, 3), np.uint8)
    image[:, 40:] += np.array([180, 0, 0], np.uint8)  # class 0, and uncertain
    image[:, :20, 1] = 120  # class 1, and sure
    view = FrameView(Frame(image, "f", 0, None, "d"), runner.infer(image), runner.info, 300)
    picked = {}
    for name in ("superpixel-crf", "class-specific"):
        score = build(name, StrategyOptions(region_share=0.2)).score(view)
        chosen = choose(score.labels, score.region_values, 0.2)
        mask = np.isin(score.labels, chosen)
        assert mask.mean() <= 0.2
        picked[name] = (mask & (view.class_map == 1)).sum()
        if name == "class-specific":
            assert np.array_equal(mask, score.labels >= 0), "all of the shares fits the budget"
    assert picked["superpixel-crf"] < 0.1 * 0.2 * 120 * 160
    assert picked["class-specific"] > 0.3 * 0.2 * 120 * 160


def test_model_without_prototypes_is_told_how_to_make_them(view: FrameView) -> None:
    bare = FrameView(view.frame, view.outputs, replace(view.info, extra={}), 300)
    with pytest.raises(ModelError, match="edgeseg fit-prototypes"):
        build("class-specific", StrategyOptions()).score(bare)


def test_a_replaced_model_brings_its_own_weights_and_prototypes(view: FrameView) -> None:
    for name in ("superpixel-crf", "class-specific"):
        strategy = build(name, StrategyOptions(region_share=0.3))
        first = strategy.score(view)
        other = {"vectors": np.eye(4)[::-1].tolist()}
        again = strategy.score(_with(view, crf={"weights": SILENT.to_dict()}, prototypes=other))
        assert again.value > first.value
