from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseg import datasets
from edgeseg.preprocess import Preprocess, resize_bilinear
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.hardware import Hardware
from edgeseg.students.validation import logits_at_frame, validate

CPU = Hardware(torch.device("cpu"), torch.float32, torch.contiguous_format)


class Knower(torch.nn.Module):
    """Reads the class of the drawn blocks off the red channel, label × 60."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        classes = (images[:, 0] * 255 / 60).floor().clamp(0, 10).long()
        return functional.one_hot(classes, 11).permute(0, 3, 1, 2).float()


def test_perfect_network_reaches_one_at_label_size(camvid: str) -> None:
    frames = DecodedFrames(datasets.open(f"{camvid}#val"), 10)
    confusion = validate(Knower(), frames, Preprocess(32, 48), CPU)
    assert confusion.miou() == pytest.approx(1.0)
    assert confusion.counts.sum() == 2 * 31 * 48


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_logits_return_to_the_pixels_that_they_came_from(resize: Any) -> None:
    preprocess = Preprocess(64, 64, resize=resize)
    ramp = np.linspace(0, 1, 96, dtype=np.float32)[None].repeat(48, 0)
    place = preprocess.placement(48, 96)
    canvas = torch.zeros(1, 1, 64, 64)
    canvas[0, 0, place.top : place.top + place.height, place.left : place.left + place.width] = torch.from_numpy(
        resize_bilinear(ramp, place.height, place.width)
    )
    back = logits_at_frame(canvas, preprocess, 48, 96)[0, 0].numpy()
    assert np.abs(back - ramp).max() < 0.02


def test_what_a_crop_cut_off_takes_the_nearest_logits() -> None:
    preprocess = Preprocess(40, 40, resize="crop")
    logits = torch.zeros(1, 2, 40, 40)
    logits[:, 0, :, 0] = 5
    back = logits_at_frame(logits, preprocess, 40, 80)
    assert back.shape == (1, 2, 40, 80)
    assert bool((back[0, 0, :, :20] == 5).all())
