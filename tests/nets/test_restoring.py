from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from edgeseg.nets.restoring import restored
from edgeseg.preprocess import Preprocess

FRAME = (60, 90)


def smooth_image() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (4, 5, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, FRAME[::-1], interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(48, 48), (40, 80), (120, 96)])
def test_input_itself_as_logits_comes_back_as_the_frame(resize: str, size: tuple[int, int]) -> None:
    preprocess = Preprocess(*size, resize=resize)  # type: ignore[arg-type]
    image = smooth_image()
    seen = restored(torch.from_numpy(preprocess.apply(image))[None], preprocess, FRAME, FRAME)[0].numpy()
    assert seen.shape == (3, *FRAME)
    error = np.abs(seen - image.transpose(2, 0, 1) / 255)
    place = preprocess.placement(*FRAME)
    top, left = max(0, -place.top) * FRAME[0] // place.height, max(0, -place.left) * FRAME[1] // place.width
    inside = error[:, top + 2 : FRAME[0] - top - 2, left + 2 : FRAME[1] - left - 2]
    assert inside.max() < 0.03


def test_stretch_is_plain_bilinear_upsampling() -> None:
    logits = torch.randn(2, 4, 10, 12)
    found = restored(logits, Preprocess(10, 12), FRAME, (25, 31))
    expected = functional.interpolate(logits, (25, 31), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected)


def test_border_that_crop_cut_off_repeats_the_nearest() -> None:
    preprocess = Preprocess(60, 60, resize="crop")
    logits = torch.arange(60.0).expand(1, 1, 60, 60).contiguous()
    found = restored(logits, preprocess, FRAME, FRAME)[0]
    torch.testing.assert_close(found[0, 0, :16], torch.zeros(16))
    torch.testing.assert_close(found[0, 5, 15:75], torch.arange(60.0))
    assert found[0, 5, 75:].unique().tolist() == [59.0]
