"""Monte-Carlo dropout on models whose passes are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import entropy

from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.dropout import MaskedLayer
from edgeseg.errors import ConfigError, ModelError
from edgeseg.frames import Frame

STEP = math.log(4) / 255


class Passes:
    """Answers the passes of a frame with these logits in turn; keeps the masks that it was given."""

    mask_layers = (MaskedLayer("only", 6, 0.5),)

    def __init__(self, passes: NDArray[np.float32]) -> None:
        self.passes = passes
        self.given: list[NDArray[np.float32]] = []

    def infer_masked(self, frame: NDArray[np.uint8], masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        self.given.append(masks)
        return {"logits": self.passes[(len(self.given) - 1) % len(self.passes)]}


@pytest.fixture
def passes() -> NDArray[np.float32]:
    """Logits (T, C, h, w) of three passes."""
    return np.random.default_rng(0).normal(0, 2, (3, 4, 60, 80)).astype(np.float32)


@pytest.fixture
def look(scene: Callable[[int], NDArray[np.uint8]], runner: Any) -> Callable[..., FrameView]:
    def make(model: Any) -> FrameView:
        image = np.ascontiguousarray(scene(40)[:60, :80])  # the network's size: nothing is interpolated
        return FrameView(Frame(image, "f1", 1, None, "drive"), runner.infer(image), runner.info, 100, masked=model)

    return make


def options(**given: Any) -> StrategyOptions:
    return StrategyOptions(dropout_passes=3, **given)


def nats(strategy: Any, view: FrameView) -> NDArray[np.float64]:
    return np.asarray(strategy.uncertainty(view) * strategy.step(view))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    raised = np.exp(logits.astype(np.float64))
    return np.asarray(raised / raised.sum(-3, keepdims=True))


def test_score_is_the_entropy_of_the_mean(look: Callable[..., FrameView], passes: NDArray[np.float32]) -> None:
    got = nats(build("mc-dropout", options()), look(Passes(passes)))
    expected = entropy(softmax(passes).mean(0), axis=0)
    assert np.abs(got - expected).max() <= STEP / 2 + 1e-5


def test_information_is_what_the_passes_do_not_share(
    look: Callable[..., FrameView], passes: NDArray[np.float32]
) -> None:
    passes = passes / 8  # within the range of the steps
    got = nats(build("mc-dropout", options(dropout_score="mutual-information")), look(Passes(passes)))
    probs = softmax(passes)
    expected = entropy(probs.mean(0), axis=0) - entropy(probs, axis=1).mean(0)
    assert expected.max() < STEP / 8 * 255
    assert np.abs(got - expected).max() <= STEP / 16 + 1e-5


def test_passes_that_agree_are_the_plain_model_and_share_all(
    look: Callable[..., FrameView], passes: NDArray[np.float32]
) -> None:
    same = Passes(passes[:1])
    assert nats(build("mc-dropout", options(dropout_score="mutual-information")), look(same)).max() == 0
    plain = entropy(softmax(passes[0]), axis=0)
    assert np.abs(nats(build("mc-dropout", options()), look(same)) - plain).max() <= STEP / 2 + 1e-5


def test_every_frame_meets_the_masks_of_the_seed(look: Callable[..., FrameView], passes: NDArray[np.float32]) -> None:
    model = Passes(passes)
    for seed in (1, 1, 2):
        build("mc-dropout", options(seed=seed)).score(look(model))
    first, second, other = (np.stack(model.given[start : start + 3]) for start in (0, 3, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_view_without_masks_and_too_few_passes_are_refused(look: Callable[..., FrameView]) -> None:
    with pytest.raises(ModelError, match="f1: strategy mc-dropout sets channel masks; give the view masked"):
        build("mc-dropout", options()).score(look(None))
    with pytest.raises(ConfigError, match="dropout_passes must be 2 or more, got 1"):
        StrategyOptions(dropout_passes=1)
    with pytest.raises(ConfigError, match="dropout_score must be entropy or mutual-information, got 'x'"):
        StrategyOptions(dropout_score="x")  # type: ignore[arg-type]
