"""ClassBal in a round, against the scores of all superpixels computed one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.active.choices import Budget, Choice
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.class_balanced_superpixel import ClassBalancedSuperpixel
from edgeseg.device.superpixels import superpixels
from edgeseg.errors import ConfigError

Make = Callable[..., Round]
Answer = Callable[[Round, Sequence[Choice]], Path]
Key = tuple[int, tuple[int, ...]]


def _method(**own: object) -> ClassBalancedSuperpixel:
    return ClassBalancedSuperpixel(MethodOptions(own=own))


def _key(choice: Choice) -> Key:
    return choice.frame, tuple(choice.pixels.tolist())


def _by_hand(state: Round) -> dict[Key, float]:
    """Score of every superpixel of every frame."""
    means: dict[Key, float] = {}
    classes: dict[Key, int] = {}
    for frame in range(len(state.pool)):
        image = state.pool.frame(frame).image
        outputs = state.runner.infer(image)
        first, second = outputs["top2_probs"]
        size = image.shape[1::-1]
        ratio = cv2.resize(second / first, size, interpolation=cv2.INTER_LINEAR).ravel()
        predicted = cv2.resize(outputs["class_map"], size, interpolation=cv2.INTER_NEAREST_EXACT).ravel()
        labels = superpixels(image, state.superpixel_px).ravel()
        for region in range(labels.max() + 1):
            inside = np.flatnonzero(labels == region)
            means[frame, tuple(inside.tolist())] = float(ratio[inside].mean())
            classes[frame, tuple(inside.tolist())] = int(np.bincount(predicted[inside]).argmax())
    low, high, every = min(means.values()), max(means.values()), list(classes.values())
    return {
        key: (mean - low) / (high - low) * math.exp(-every.count(classes[key]) / len(every))
        for key, mean in means.items()
    }


def test_the_highest_superpixels_of_all_frames_are_asked_for_one_click_each(make_round: Make) -> None:
    state = make_round(number=2, budget=Budget("clicks", 12))
    choices = list(_method().select(state))
    scores = _by_hand(state)
    best = sorted(scores, key=lambda key: -scores[key])[:12]
    assert {_key(choice) for choice in choices} == set(best)
    for choice in choices:
        assert choice.value == pytest.approx(scores[_key(choice)], abs=1e-5)
        assert choice.clicks == 1 and choice.answer == "dominant"


def test_a_budget_of_pixels_ends_before_the_first_that_exceeds_it(make_round: Make) -> None:
    state = make_round(number=2, budget=Budget("pixels", 5000))
    scores = _by_hand(state)
    order = sorted(scores, key=lambda key: -scores[key])
    number = int((np.cumsum([len(pixels) for _, pixels in order]) <= 5000).sum())
    assert {_key(choice) for choice in _method().select(state)} == set(order[:number])


def test_picked_superpixels_are_left_out_but_still_count_for_the_weights(make_round: Make, answered: Answer) -> None:
    first = list(_method(random_rounds=0).select(make_round(number=1, budget=Budget("clicks", 15))))
    before = answered(make_round(number=1), first)
    state = make_round(number=2, budget=Budget("clicks", 15), before=before)
    second = list(_method().select(state))
    scores, picked = _by_hand(state), {_key(choice) for choice in first}
    left = [key for key in sorted(scores, key=lambda key: -scores[key]) if key not in picked]
    assert {_key(choice) for choice in second} == set(left[:15])
    assert all(choice.value == pytest.approx(scores[_key(choice)], abs=1e-5) for choice in second)


def test_first_round_is_random_unless_told_otherwise(make_round: Make) -> None:
    state = make_round(number=1, budget=Budget("clicks", 12))
    scores = _by_hand(state)
    best = set(sorted(scores, key=lambda key: -scores[key])[:12])
    assert len({_key(choice) for choice in _method().select(state)} & best) < 8
    assert {_key(choice) for choice in _method(random_rounds=0).select(state)} == best


def test_options_are_checked_by_name() -> None:
    with pytest.raises(ConfigError, match="random_rounds must be at least 0"):
        _method(random_rounds=-1)
