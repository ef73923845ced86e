"""The CRF over pixels: what it leaves untouched, what it smooths, where the frame lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from edgeseg.device import crf, pixel_crf
from edgeseg.device.crf import CrfWeights
from edgeseg.device.regions import areas
from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.errors import MissingDependencyError
from edgeseg.frames import Frame
from edgeseg.preprocess import Preprocess, ResizeMode


@pytest.fixture
def needs_pydensecrf() -> None:
    pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed (extra regions)")


@pytest.mark.usefixtures("needs_pydensecrf")
def test_without_weights_it_is_the_models_entropy() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 20, 30)).astype(np.float32)
    image = np.zeros((20, 30, 3), np.uint8)
    found = pixel_crf.pixel_entropy(logits, image, 5.0, CrfWeights(appearance_weight=0.0, smoothness_weight=0.0))
    assert found == pytest.approx(stats.entropy(np.exp(logits), axis=0), rel=1e-4)


@pytest.mark.usefixtures("needs_pydensecrf")
def test_a_doubtful_pixel_is_settled_by_its_likes() -> None:
    logits = np.zeros((2, 30, 30), np.float32)
    logits[0] = 3
    logits[:, 15, 15] = 0
    image = np.full((30, 30, 3), 90, np.uint8)
    found = pixel_crf.pixel_entropy(logits, image, 5.0, CrfWeights(smoothness_weight=3.0))
    assert found[15, 15] < 0.5 * np.log(2)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
def test_frame_lies_where_the_network_sees_it(resize: ResizeMode) -> None:
    image = np.random.default_rng(0).integers(1, 256, (40, 60, 3), np.uint8)
    preprocess = Preprocess(24, 48, resize=resize)
    expected = preprocess.apply(image).transpose(1, 2, 0) * 255
    assert np.abs(pixel_crf.placed(image, preprocess) - expected).max() <= 1


@pytest.mark.usefixtures("needs_pydensecrf")
def test_strategies_take_it_instead_of_the_one_over_regions(
    scene: Callable[[int], NDArray[np.uint8]], runner: Any
) -> None:
    image = scene(40)
    view = FrameView(Frame(image, "f", 0, None, "d"), runner.infer(image), runner.info, 300)
    for name in ("superpixel-crf", "class-specific"):
        strategy = build(name, StrategyOptions(crf="pixel"))
        assert "logits" in strategy.needs and "cell_probs" not in strategy.needs
        score = strategy.score(view)
        assert len(score.region_values) == len(areas(score.labels))
    assert {"class_map", "features", "logits"} == set(strategy.needs)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydensecrf.densecrf", None)
    with pytest.raises(MissingDependencyError, match="edgeseg\\[regions\\]"):
        pixel_crf.pixel_entropy(np.zeros((2, 4, 4), np.float32), np.zeros((4, 4, 3), np.uint8), 1.0, CrfWeights())


def test_softmax_is_scipys_inverse_of_log() -> None:
    probs = np.random.default_rng(1).dirichlet(np.ones(3), 5).astype(np.float32)
    assert crf.softmax(np.log(probs)) == pytest.approx(probs, rel=1e-5)
