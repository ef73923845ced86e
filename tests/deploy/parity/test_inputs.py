"""What of the preprocessing differs, on inputs made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.deploy.parity.inputs import compare_inputs
from edgeseg.preprocess import Preprocess

SETTINGS = Preprocess(40, 60, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), resize="letterbox")
FRAME = (40, 40)
"""Lies between columns 10 and 50."""


@pytest.fixture
def planes():
    made = np.zeros((3, 40, 60), np.float32)
    made[:, :, 10:50] = np.random.default_rng(0).normal(size=(3, 40, 40))
    return made


def test_a_mean_is_read_off_what_shows_the_frame(planes):
    other = planes.copy()
    other[0, :, 10:50] -= 0.1 / 0.2  # the mean of the first channel is 0.5 instead of 0.4
    found = compare_inputs(planes, other, SETTINGS, FRAME)
    assert (found.stage, found.what, found.detail) == ("preprocessing", "mean", "(0.4, 0.5, 0.6) and (0.5, 0.5, 0.6)")


def test_another_border_is_named(planes):
    other = planes.copy()
    other[:, :, :10] = other[:, :, 50:] = 1.0
    assert compare_inputs(planes, planes, SETTINGS, FRAME) is None
    assert compare_inputs(planes, other, SETTINGS, FRAME).what == "border"


def test_another_place_is_a_resize(planes):
    assert compare_inputs(planes, np.roll(planes, 1, axis=2), SETTINGS, FRAME).stage == "resize"
