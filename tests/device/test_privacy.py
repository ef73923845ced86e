"""What is blurred cannot be seen in anything that is written; the rest is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.privacy import MARGIN_PX, Blur, pixelated
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame


@pytest.fixture
def view(make_runner: Callable[..., Any]) -> FrameView:
    """A textured frame (240, 320) with class b in an L of (80 to 160, 120 to 200), class a elsewhere."""
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    classes = np.zeros((120, 160), np.uint8)
    classes[40:80, 60:70] = 1
    classes[70:80, 60:100] = 1
    runner = make_runner(120, 160)
    outputs = {"class_map": classes, "entropy": np.zeros((120, 160), np.uint8)}
    return FrameView(Frame(image, "f", 0, None, "s"), outputs, runner.info)


def changed(view: FrameView, shown: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((shown != view.frame.image).any(2))


def test_pixels_of_the_class_lose_their_detail_and_others_keep_it(view: FrameView) -> None:
    shown = Blur.parse(["b"], view.info.class_map).apply(view)
    mask = view.class_map == 1
    side = 2 * MARGIN_PX + 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
    assert changed(view, shown)[mask].mean() > 0.95
    assert not changed(view, shown)[~near].any()
    assert shown[mask].std() < 0.2 * view.frame.image[mask].std()
    assert len(np.unique(shown[mask].reshape(-1, 3), axis=0)) < 60, "a few blocks are left of thousands of pixels"


def test_box_hides_what_is_around_the_class_too(view: FrameView) -> None:
    shown = Blur.parse(["b:box"], view.info.class_map).apply(view)
    assert changed(view, shown)[80:160, 120:200].mean() > 0.95


def test_likely_cells_are_hidden_although_another_class_won(view: FrameView) -> None:
    cells = np.zeros((4, 15, 20), np.uint8)
    cells[1, 0, 0] = 60
    view.outputs = {**view.outputs, "cell_probs": cells}  # type: ignore[assignment]
    assert changed(view, Blur.parse(["b"], view.info.class_map, 0.2).apply(view))[:16, :16].mean() > 0.95
    assert not changed(view, Blur.parse(["b"], view.info.class_map, 0.3).apply(view))[:16, :16].any()


def test_what_the_model_did_not_see_is_hidden(make_runner: Callable[..., Any]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 320, 3), np.uint8)
    runner = make_runner(100, 100, resize="crop")
    outputs = {"class_map": np.zeros((100, 100), np.uint8)}
    view = FrameView(Frame(image, "f", 0, None, "s"), outputs, runner.info)
    shown = Blur.parse(["b"], view.info.class_map).apply(view)
    assert changed(view, shown)[:, :40].mean() > 0.95 and not changed(view, shown)[:, 80:240].any()


def test_frame_without_the_class_is_left_as_it_is(view: FrameView) -> None:
    assert Blur.parse(["c"], view.info.class_map).apply(view) is view.frame.image


def test_block_is_the_mean_of_its_pixels() -> None:
    image = np.zeros((24, 48, 3), np.uint8)
    image[:, :24], image[:12, 24:] = 100, 200
    shown = pixelated(image, np.ones((24, 48), bool))
    assert (shown[:, :24] == 100).all() and (shown[:, 24:] == 100).all()


def test_class_that_the_model_lacks_is_refused(view: FrameView) -> None:
    with pytest.raises(ConfigError, match="--blur face: the model has no such class; it has a, b, c, d"):
        Blur.parse(["b", "face"], view.info.class_map)
