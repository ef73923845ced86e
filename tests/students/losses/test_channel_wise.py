from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edgeseg.students.losses import ChannelWise

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _shares(activations: list[list[float]]) -> list[list[float]]:
    """Softmax over the pixels of each class, of activations [pixel][class] centred at each pixel."""
    centred = [[a - sum(pixel) / len(pixel) for a in pixel] for pixel in activations]
    exp = [[math.exp(a) for a in pixel] for pixel in centred]
    return [[pixel[c] / sum(p[c] for p in exp) for pixel in exp] for c in range(len(exp[0]))]


def test_agrees_with_slow_version(sample: Sample) -> None:
    logits, soft, mask = sample
    per_image = []
    for n in range(2):
        places = [(y, x) for y, x in np.ndindex(4, 6) if mask[n, y, x]]
        student = _shares([[v / 5 for v in logits[n, :, y, x].tolist()] for y, x in places])
        teacher = _shares([[math.log(v) for v in soft[n, :, y, x].tolist()] for y, x in places])
        divergences = [
            sum(t * math.log(t / s) for t, s in zip(ts, ss, strict=True))
            for ts, ss in zip(teacher, student, strict=True)
        ]
        per_image.append(sum(divergences) / 5)
    expected = 25 * sum(per_image) / 2
    assert float(ChannelWise(5)(logits, soft, mask)) == pytest.approx(expected, rel=1e-4)


def test_teacher_s_logits_are_known_up_to_what_does_not_matter(sample: Sample) -> None:
    """From logits or from their softmax, with any constant added at a pixel: the same."""
    logits, _, mask = sample
    teacher = logits.flip(0)
    constant = 30 * torch.randn(2, 1, 4, 6, generator=torch.Generator().manual_seed(1))
    soft = (teacher / 4).softmax(1)
    expected = float(ChannelWise(4)(logits, soft, mask))
    assert float(ChannelWise(4)(logits + constant, soft, mask)) == pytest.approx(expected, rel=1e-3)
    assert float(ChannelWise(4)(teacher + constant, soft, mask)) == pytest.approx(0, abs=1e-4)


def test_image_without_pixels_does_not_dilute_the_mean(sample: Sample) -> None:
    logits, soft, mask = sample
    mask[1] = False
    alone = ChannelWise(2)(logits[:1], soft[:1], mask[:1])
    assert float(ChannelWise(2)(logits, soft, mask)) == pytest.approx(float(alone), rel=1e-5)
