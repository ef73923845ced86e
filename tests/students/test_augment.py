from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgeseg.errors import ConfigError
from edgeseg.preprocess import Preprocess
from edgeseg.students import augment
from edgeseg.students.groups import AugmentSettings

PLAIN = AugmentSettings(scale=(1, 1), crop="center", flip=0, brightness=0, contrast=0, saturation=0)
FRAME = (60, 80)


def _frame() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A disc: red in the image, class 1 in the label, certain in the soft labels."""
    y, x = np.mgrid[: FRAME[0], : FRAME[1]]
    label = torch.from_numpy((((y - 25) ** 2 + (x - 45) ** 2) < 14**2).astype(np.uint8))
    image = torch.stack([label * 255, label * 0, 255 - label * 255])
    return image, label, torch.stack([1.0 - label, label * 1.0])


def _shown(view: augment.View, preprocess: Preprocess) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    image, label, soft = _frame()
    window = soft[:, view.top : view.top + view.height, view.left : view.left + view.width]
    return (
        augment.view_image(image, view, preprocess, None),
        augment.view_label(label, view),
        augment.view_soft_labels(window, view),
    )


def _draw(settings: AugmentSettings, preprocess: Preprocess, *key: int | str) -> augment.View:
    with augment.sample_randomness(*key):
        return augment.draw_view(settings, preprocess, *FRAME)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("scale", [(0.4, 0.9), (1.0, 1.0), (1.2, 3.0)])
def test_image_label_and_soft_labels_show_the_same_part(resize: Any, scale: tuple[float, float]) -> None:
    preprocess = Preprocess(48, 48, resize=resize)
    for number in range(20):
        view = _draw(AugmentSettings(scale=scale, brightness=0, contrast=0, saturation=0), preprocess, number)
        image, label, soft = _shown(view, preprocess)
        visible = label != 255
        assert visible.any()
        assert not image[:, ~visible].any() and not soft[:, ~visible].any()
        # Bilinear red is above a half exactly where the nearest pixel is the disc's, but for the disc's border.
        red = image[0] > 0.5
        assert torch.equal(red, soft[1] > 0.5)
        different = (red != (label == 1)) & visible
        assert different.float().mean() < 0.02


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(30, 50), (31, 52)], ids=["even border", "odd border"])
def test_unchanged_sample_is_what_the_model_sees_when_deployed(resize: Any, size: tuple[int, int]) -> None:
    preprocess = Preprocess(*size, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7), resize=resize)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *FRAME)).astype(np.uint8))
    shown = augment.view_image(image, _draw(PLAIN, preprocess, 0), preprocess, None)
    deployed = preprocess.apply(image.permute(1, 2, 0).numpy())
    assert np.abs(shown.numpy() - deployed).max() < 1e-4


def test_zoom_shows_a_part_of_that_size() -> None:
    view = _draw(AugmentSettings(scale=(2, 2)), Preprocess(30, 40), 0)
    assert (view.height, view.width) == pytest.approx((30, 40), abs=1)
    assert (view.place.height, view.place.width) == pytest.approx((30, 40), abs=1)


def test_zooming_out_pads_with_mean_colour_and_ignored_pixels() -> None:
    preprocess = Preprocess(60, 80, (0.5, 0.5, 0.5))
    view = _draw(AugmentSettings(scale=(0.5, 0.5), flip=0), preprocess, 1)
    assert (view.top, view.left, view.height, view.width) == (0, 0, *FRAME)
    assert (view.place.height, view.place.width) == (30, 40)
    image, label, soft = _shown(view, preprocess)
    assert (label == 255).float().mean() == pytest.approx(0.75)
    assert not image[:, label == 255].any()
    assert torch.equal(soft.sum(0) > 0.5, label != 255)


def test_flip_mirrors_everything() -> None:
    preprocess = Preprocess(*FRAME)
    settings = AugmentSettings(scale=(1, 1), crop="center", flip=1, brightness=0, contrast=0, saturation=0)
    flipped = _shown(_draw(settings, preprocess, 0), preprocess)
    straight = _shown(_draw(PLAIN, preprocess, 0), preprocess)
    assert all(torch.equal(a, b.flip(-1)) for a, b in zip(flipped, straight, strict=True))


def test_randomness_is_a_function_of_its_key_alone() -> None:
    preprocess = Preprocess(30, 40)
    views = [_draw(AugmentSettings(), preprocess, seed, 3, "a") for seed in (0, 1, 0)]
    assert views[0] == views[2] != views[1]
    assert augment.seed_of(1, 23, "a") != augment.seed_of(12, 3, "a")


def test_randomness_outside_goes_on_as_if_nothing_was_drawn() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = torch.rand(1)
    with augment.sample_randomness(1):
        torch.rand(10)
    assert torch.equal(torch.cat([first, torch.rand(2)]), expected)


def test_colour_changes_the_image_within_its_range() -> None:
    preprocess = Preprocess(*FRAME)
    image = _frame()[0] // 2
    view = _draw(PLAIN, preprocess, 0)
    with augment.sample_randomness(4):
        changed = augment.view_image(image, view, preprocess, augment.jitter(AugmentSettings(brightness=0.5)))
    assert not torch.equal(changed, augment.view_image(image, view, preprocess, None))
    assert changed.min() >= 0 and changed.max() <= 1
    assert augment.jitter(PLAIN) is None


def test_window_at_zoom_1_is_a_cut_of_what_the_deployed_network_sees() -> None:
    preprocess = Preprocess(*FRAME, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    settings = AugmentSettings(window=(12, 20), scale=(1, 1), flip=0, brightness=0, contrast=0, saturation=0)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *FRAME)).astype(np.uint8))
    whole = preprocess.apply(image.permute(1, 2, 0).numpy())
    for number in range(10):
        view = _draw(settings, preprocess, number)
        shown = augment.view_image(image, view, preprocess, None).numpy()
        cut = whole[:, view.top : view.top + 12, view.left : view.left + 20]
        assert shown.shape == cut.shape == (3, 12, 20)
        assert np.abs(shown - cut).max() < 1e-4


def test_windows_reach_all_parts_of_the_frame() -> None:
    settings = AugmentSettings(window=(12, 20), scale=(1, 1))
    seen = np.zeros(FRAME, bool)
    for number in range(200):
        view = _draw(settings, Preprocess(30, 50), number)
        seen[view.top : view.top + view.height, view.left : view.left + view.width] = True
    assert seen[6:-6, 10:-10].all()


def test_window_without_pixels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"augment\.window.*0"):
        AugmentSettings(window=(0, 20))
