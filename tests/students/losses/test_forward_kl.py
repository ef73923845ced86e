from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseg.students.losses import ForwardKL

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def test_agrees_with_torch_over_masked_pixels(sample: Sample) -> None:
    logits, soft, mask = sample
    terms = functional.kl_div((logits / 3).log_softmax(1), soft, reduction="none")
    assert float(ForwardKL(3)(logits, soft, mask)) == pytest.approx(9 * float(terms.sum(1)[mask].mean()), rel=1e-5)


def test_agrees_with_slow_version(sample: Sample) -> None:
    logits, soft, mask = sample
    total, count = 0.0, 0
    for n, y, x in np.ndindex(*mask.shape):
        if mask[n, y, x]:
            z = np.exp(logits[n, :, y, x].double().numpy() / 5)
            p_s, p_t = z / z.sum(), soft[n, :, y, x].double().numpy()
            total += float((p_t * np.log(p_t / p_s)).sum())
            count += 1
    assert float(ForwardKL(5)(logits, soft, mask)) == pytest.approx(25 * total / count, rel=1e-4)


def test_certain_teacher_makes_it_the_cross_entropy() -> None:
    soft = functional.one_hot(torch.tensor([[[2]]]), 4).permute(0, 3, 1, 2).float()
    loss = ForwardKL(7, t_squared=False)(torch.zeros(1, 4, 1, 1), soft)
    assert float(loss) == pytest.approx(math.log(4))


def test_gradient_is_the_difference_of_the_probabilities(sample: Sample) -> None:
    """∂/∂z of T² Σ p_t log(p_t / p_s) is T (p_s - p_t), over the number of pixels."""
    logits, soft, mask = sample
    student = logits.clone().requires_grad_()
    ForwardKL(3)(student, soft, mask).backward()
    expected = 3 * ((logits / 3).softmax(1) - soft) * mask[:, None] / mask.sum()
    assert student.grad is not None
    torch.testing.assert_close(student.grad, expected, rtol=1e-4, atol=1e-6)
