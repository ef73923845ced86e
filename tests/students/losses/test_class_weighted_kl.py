from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edgeseg.errors import ConfigError
from edgeseg.students.losses import ClassWeightedKL, ForwardKL

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 4.0, 0.0])


def test_equal_weights_make_it_the_forward_kl(sample: Sample) -> None:
    loss = ClassWeightedKL(3, torch.full((5,), 7.0))(*sample)
    assert float(loss) == pytest.approx(float(ForwardKL(3)(*sample)), rel=1e-5)


def test_agrees_with_slow_version(sample: Sample) -> None:
    logits, soft, mask = sample
    above, below = 0.0, 0.0
    for n, y, x in np.ndindex(*mask.shape):
        z = [math.exp(v / 5) for v in logits[n, :, y, x].tolist()]
        for c in range(5):
            p_s, p_t, w = z[c] / sum(z), float(soft[n, c, y, x]), float(WEIGHTS[c]) * bool(mask[n, y, x])
            above += w * (p_t * math.log(p_t / p_s) - p_t + p_s)
            below += w * p_t
    assert float(ClassWeightedKL(5, WEIGHTS)(logits, soft, mask)) == pytest.approx(25 * above / below, rel=1e-4)


def test_size_of_the_weights_plays_no_part(sample: Sample) -> None:
    losses = [float(ClassWeightedKL(3, k * WEIGHTS)(*sample)) for k in (1.0, 50.0)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_heavy_class_pulls_harder() -> None:
    """By hand: -w_k p_k + w_k s_k + s_k Σ w (p - s), over Σ w p."""
    student = torch.zeros(1, 4, 1, 1, requires_grad=True)
    soft = torch.tensor([0.45, 0.45, 0.05, 0.05]).reshape(1, 4, 1, 1)
    ClassWeightedKL(1, torch.tensor([5.0, 1.0, 1.0, 1.0]))(student, soft).backward()
    shift = 0.25 * (5 * 0.2 + 0.2 - 0.2 - 0.2)
    expected = [-5 * 0.2 + shift, -0.2 + shift, 0.2 + shift, 0.2 + shift]
    assert student.grad is not None
    assert (student.grad.flatten() * 2.8).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0]])
def test_weights_that_make_no_divergence_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="must not be negative, nor all 0, got"):
        ClassWeightedKL(1, torch.tensor(weights))
