"""PixelPick in a round: which pixels, how many, and what is never asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.active.choices import Budget, Choice
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.pixelpick import PixelPick
from edgeseg.errors import ConfigError

Make = Callable[..., Round]
Answer = Callable[[Round, Sequence[Choice]], Path]


def _method(**own: object) -> PixelPick:
    return PixelPick(MethodOptions(own=own))


def _rank(state: Round, choice: Choice) -> float:
    """Share of the frame's pixels whose margin, upsampled by OpenCV, is smaller than the chosen pixel's."""
    image = state.pool.frame(choice.frame).image
    first, second = state.runner.infer(image)["top2_probs"]
    margins = cv2.resize(first - second, image.shape[1::-1], interpolation=cv2.INTER_LINEAR).ravel()
    return float((margins < margins[choice.pixels[0]] - 1e-5).mean())


def test_every_frame_gives_ten_single_pixels_of_the_least_certain_twentieth(make_round: Make) -> None:
    state = make_round(number=2)
    choices = list(_method().select(state))
    assert Counter(choice.frame for choice in choices) == {0: 10, 1: 10, 2: 10, 3: 10}
    assert all(len(choice.pixels) == choice.clicks == 1 and choice.answer == "pixels" for choice in choices)
    assert max(_rank(state, choice) for choice in choices) <= 0.05
    assert len({(c.frame, int(c.pixels[0])) for c in choices}) == 40


def test_first_round_is_drawn_from_all_pixels_unless_told_otherwise(make_round: Make) -> None:
    state = make_round(number=1)
    assert np.mean([_rank(state, choice) > 0.05 for choice in _method().select(state)]) > 0.7
    assert max(_rank(state, choice) for choice in _method(random_rounds=0).select(state)) <= 0.05


def test_no_pixel_is_asked_for_twice(make_round: Make, answered: Answer) -> None:
    # A share of as many pixels as are drawn: without care the second time would draw the same.
    method = _method(share=1e-6, random_rounds=0)
    first = list(method.select(make_round(number=1)))
    second = list(method.select(make_round(number=2, before=answered(make_round(number=1), first))))
    keys = [{(c.frame, int(c.pixels[0])) for c in choices} for choices in (first, second)]
    assert len(keys[0]) == len(keys[1]) == 40 and not keys[0] & keys[1]


def test_clicks_are_shared_out_over_the_frames(make_round: Make) -> None:
    state = make_round(number=2, budget=Budget("clicks", 100))
    assert Counter(choice.frame for choice in _method().select(state)) == {0: 25, 1: 25, 2: 25, 3: 25}


def test_equal_seeds_choose_alike_and_rounds_differ(make_round: Make) -> None:
    first, again = (list(_method().select(make_round(number=2))) for _ in range(2))
    assert [(c.frame, c.pixels.tolist()) for c in first] == [(c.frame, c.pixels.tolist()) for c in again]
    later = {(c.frame, int(c.pixels[0])) for c in _method().select(make_round(number=3))}
    assert later != {(c.frame, int(c.pixels[0])) for c in first}


def test_options_are_checked_by_name() -> None:
    with pytest.raises(ConfigError, match=r"method.pixelpick.pixels must be at least 1"):
        _method(pixels=0)
    with pytest.raises(ConfigError, match="pixel_count"):
        _method(pixel_count=3)
