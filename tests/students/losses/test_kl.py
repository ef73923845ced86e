from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseg.students.losses import SoftLabelKL


def _sample() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(2, 5, 4, 6, generator=generator)
    soft = torch.randn(2, 5, 4, 6, generator=generator).mul(2).softmax(1)
    mask = torch.rand(2, 4, 6, generator=generator) > 0.3
    return logits, soft, mask


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_agrees_with_torch_over_masked_pixels(direction: Literal["forward", "reverse"]) -> None:
    logits, soft, mask = _sample()
    log_student = (logits / 3).log_softmax(1)
    if direction == "forward":
        terms = functional.kl_div(log_student, soft, reduction="none")
    else:
        terms = functional.kl_div(soft.log(), log_student, reduction="none", log_target=True)
    expected = terms.sum(1)[mask].mean()
    plain = SoftLabelKL(3, direction, t_squared=False)(logits, soft, mask)
    scaled = SoftLabelKL(3, direction, t_squared=True)(logits, soft, mask)
    assert float(plain) == pytest.approx(float(expected), rel=1e-5)
    assert float(scaled) == pytest.approx(9 * float(expected), rel=1e-5)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_agrees_with_slow_numpy_version(direction: Literal["forward", "reverse"]) -> None:
    logits, soft, mask = _sample()
    total, count = 0.0, 0
    for n, y, x in np.ndindex(*mask.shape):
        if mask[n, y, x]:
            z = np.exp(logits[n, :, y, x].double().numpy() / 5)
            p_s, p_t = z / z.sum(), soft[n, :, y, x].double().numpy()
            a, b = (p_t, p_s) if direction == "forward" else (p_s, p_t)
            total += float((a * np.log(a / b)).sum())
            count += 1
    assert float(SoftLabelKL(5, direction)(logits, soft, mask)) == pytest.approx(25 * total / count, rel=1e-4)


def test_forward_of_certain_teacher_is_cross_entropy() -> None:
    soft = functional.one_hot(torch.tensor([[[2]]]), 4).permute(0, 3, 1, 2).float()
    assert float(SoftLabelKL(7, "forward", t_squared=False)(torch.zeros(1, 4, 1, 1), soft)) == pytest.approx(
        math.log(4)
    )


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_equal_distributions_give_zero(direction: Literal["forward", "reverse"]) -> None:
    logits = torch.randn(1, 6, 3, 3)
    soft = (logits / 4).softmax(1)
    assert float(SoftLabelKL(4, direction)(logits, soft)) == pytest.approx(0, abs=1e-5)


def test_pixels_without_soft_label_do_not_count() -> None:
    logits, soft, _ = _sample()
    half = soft.clone()
    half[:, :, :, 3:] = 0
    expected = SoftLabelKL(2)(logits[..., :3], soft[..., :3])
    assert float(SoftLabelKL(2)(logits, half)) == pytest.approx(float(expected), rel=1e-5)
    assert float(SoftLabelKL(2)(logits, torch.zeros_like(soft))) == 0.0


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_bf16_autocast_changes_nothing_but_the_logits(direction: Literal["forward", "reverse"]) -> None:
    logits, soft, mask = _sample()
    low = logits.bfloat16()
    expected = SoftLabelKL(5, direction)(low.float(), soft, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = SoftLabelKL(5, direction)(low, soft, mask)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_extreme_logits_and_certain_teacher_stay_finite(direction: Literal["forward", "reverse"]) -> None:
    logits = (1000 * torch.eye(3).reshape(1, 3, 3, 1)).requires_grad_()
    soft = torch.eye(3).flip(0).reshape(1, 3, 3, 1)
    loss = SoftLabelKL(1, direction)(logits, soft)
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_soft_labels_of_another_size_are_resized_to_the_logits() -> None:
    soft = torch.full((1, 2, 4, 4), 0.5)
    logits = torch.zeros(1, 2, 2, 2)
    assert float(SoftLabelKL(1)(logits, soft)) == pytest.approx(0, abs=1e-6)
