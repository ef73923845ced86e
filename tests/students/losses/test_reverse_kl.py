from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseg.students.losses import ReverseKL

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def test_agrees_with_torch_over_masked_pixels(sample: Sample) -> None:
    logits, soft, mask = sample
    terms = functional.kl_div(soft.log(), (logits / 3).log_softmax(1), reduction="none", log_target=True)
    assert float(ReverseKL(3)(logits, soft, mask)) == pytest.approx(9 * float(terms.sum(1)[mask].mean()), rel=1e-5)


def test_agrees_with_slow_version(sample: Sample) -> None:
    logits, soft, mask = sample
    total, count = 0.0, 0
    for n, y, x in np.ndindex(*mask.shape):
        if mask[n, y, x]:
            z = np.exp(logits[n, :, y, x].double().numpy() / 5)
            p_s, p_t = z / z.sum(), soft[n, :, y, x].double().numpy()
            total += float((p_s * np.log(p_s / p_t)).sum())
            count += 1
    assert float(ReverseKL(5)(logits, soft, mask)) == pytest.approx(25 * total / count, rel=1e-4)


def test_certain_student_pays_the_surprise_of_its_class() -> None:
    logits = torch.tensor([0.0, 500.0, 0.0]).reshape(1, 3, 1, 1)
    soft = torch.tensor([0.7, 0.2, 0.1]).reshape(1, 3, 1, 1)
    assert float(ReverseKL(1)(logits, soft)) == pytest.approx(-math.log(0.2), rel=1e-5)
