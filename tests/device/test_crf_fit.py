"""Fitting the CRF: the grid's best, what was held out, and what cannot be fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseg.classes import ClassMap
from edgeseg.datasets import Dataset
from edgeseg.device import crf_fit
from edgeseg.device.crf import CrfWeights
from edgeseg.device.crf_fit import CrfFitSettings, fit, held_out
from edgeseg.device.regions import choose
from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, DataError
from edgeseg.frames import Frame

SMALL = CrfFitSettings(superpixel_px=300)


class Scenes(Dataset):
    """Frames on which the model errs in part of what it is unsure of."""

    spec = "scenes"
    has_labels = True

    def __init__(self, class_map: ClassMap, count: int, errs: bool = True) -> None:
        self.class_map, self.errs = class_map, errs
        self.sample_ids = tuple(f"s{i}" for i in range(count))

    def image(self, index: int) -> Any:
        image = np.random.default_rng(index).integers(0, 30, (120, 160, 3), np.uint8)
        image[30:60, 40:90, 0] = 200
        image[80:100, 100:140, 0] = 120
        return image

    def label(self, index: int) -> Any:
        label = np.zeros((120, 160), np.uint8)
        if self.errs:
            label[32:50, 45:85] = 2
        label[:10] = 255
        return label


@pytest.fixture
def scenes(runner: Any, monkeypatch: pytest.MonkeyPatch) -> Scenes:
    monkeypatch.setattr(crf_fit, "APPEARANCE_WEIGHTS", (0.3, 1.0))
    monkeypatch.setattr(crf_fit, "APPEARANCE_SIDES", (2.0, 10.0))
    monkeypatch.setattr(crf_fit, "APPEARANCE_COLOURS", (8.0,))
    return Scenes(runner.info.class_map, 4)


def test_the_fitted_weights_catch_what_the_strategy_catches(runner: Any, scenes: Scenes) -> None:
    settings = replace(SMALL, region_score="mean")
    fitted = fit(runner, scenes, settings)
    assert fitted.frames == 4
    caught = []
    info = runner.info.with_extra(crf={"weights": fitted.weights.to_dict()})
    for index in range(4):
        image, label = scenes.image(index), scenes.label(index)
        view = FrameView(Frame(image, "f", 0, None, "d"), runner.infer(image), info, 300)
        score = build("superpixel-crf", StrategyOptions(region_score="mean")).score(view)
        wrong = (label != 255) & (label != view.class_map)
        # Unlabeled pixels cost the fit nothing, so its share is one of labeled pixels.
        chosen = np.isin(score.labels, choose(score.labels, score.region_values, 0.1 * (label != 255).mean()))
        caught.append((wrong & chosen).sum() / wrong.sum())
    assert fitted.caught == pytest.approx(np.mean(caught), abs=0.06)
    assert fitted.caught > 0.5
    assert fitted.caught_held_out <= fitted.caught


def test_no_setting_of_the_grid_does_better(runner: Any, scenes: Scenes) -> None:
    fitted = fit(runner, scenes, SMALL)
    frames = [crf_fit._labeled(runner, scenes, index, SMALL) for index in range(4)]
    for weight in (0.3, 1.0):
        for sides in (2.0, 10.0):
            weights = CrfWeights(weight, sides, 8.0)
            assert np.mean([frame.caught(weights, SMALL) for frame in frames]) <= fitted.caught + 1e-9


def test_smoothness_weight_is_fitted_and_its_width_is_not() -> None:
    assert {weights.smoothness_weight for weights in crf_fit.grid()} == {1, 3}
    assert {weights.smoothness_sides for weights in crf_fit.grid()} == {3}
    assert CrfWeights().smoothness_weight == 1, "of a model that carries none; see the module's first lines"


def test_held_out_frames_do_not_choose_their_own_setting() -> None:
    # Setting 0 is best everywhere but on frame 0, setting 1 on frame 0 alone.
    table = np.array([[0.2, 0.9], [0.5, 0.1], [0.6, 0.1], [0.7, 0.1]])
    assert held_out(table, folds=4) == pytest.approx((0.2 + 0.5 + 0.6 + 0.7) / 4)
    assert held_out(table[:2], folds=5) == pytest.approx((0.2 + 0.1) / 2)


def test_fewer_frames_are_evenly_spaced(runner: Any, scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(
        Scenes, "image", lambda self, index, image=Scenes.image: read.append(index) or image(self, index)
    )
    fit(runner, scenes, replace(SMALL, frames=2))
    assert read == [0, 2]


def test_a_model_without_errors_cannot_be_fitted(runner: Any, scenes: Scenes) -> None:
    with pytest.raises(DataError, match=r"scenes: the model errs on 0 labeled frame\(s\), too few"):
        fit(runner, Scenes(scenes.class_map, 3, errs=False), SMALL)


def test_other_classes_are_refused(runner: Any, scenes: Scenes) -> None:
    other = Scenes(ClassMap("other", scenes.class_map.classes[:2]), 3)
    with pytest.raises(ConfigError, match="its classes are not the model's"):
        fit(runner, other, SMALL)


def test_one_frame_is_too_few() -> None:
    with pytest.raises(ConfigError, match="frames must be 2 or more"):
        CrfFitSettings(frames=1)
