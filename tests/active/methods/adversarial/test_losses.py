"""VAAL's losses, against closed forms and torch's own distributions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from edgeseg.active.methods.adversarial.losses import (
    autoencoder_loss,
    balanced_accuracy,
    critic_loss,
    fooling_loss,
    mean_kl,
)


def test_kl_is_the_mean_of_torchs_own_over_frames_and_latents() -> None:
    chance = torch.Generator().manual_seed(2)
    mean, log_variance = torch.randn(6, 5, generator=chance), torch.randn(6, 5, generator=chance)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).mean()
    assert float(mean_kl(mean, log_variance)) == pytest.approx(float(expected), rel=1e-5)


def test_kl_does_not_grow_with_batch_or_latents_as_a_sum_would() -> None:
    small, large = (mean_kl(torch.full(shape, 2.0), torch.zeros(shape)) for shape in ((1, 1), (32, 64)))
    assert float(small) == float(large) == pytest.approx(2.0)


def test_autoencoder_loss_adds_the_weighted_divergence() -> None:
    images, rebuilt = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    loss = autoencoder_loss(images, rebuilt, torch.full((2, 8), 2.0), torch.zeros(2, 8), kl_weight=0.1)
    assert float(loss) == pytest.approx(0.25 + 0.1 * 2)


def test_critic_wants_to_tell_apart_what_the_encoder_wants_to_hide() -> None:
    labeled, unlabeled = torch.tensor([[2.0], [0.5]]), torch.tensor([[-1.0], [0.0]])
    of_labeled = (math.log1p(math.exp(-2.0)) + math.log1p(math.exp(-0.5))) / 2
    assert float(critic_loss(labeled, unlabeled)) == pytest.approx(
        of_labeled + (math.log1p(math.exp(-1.0)) + math.log(2)) / 2
    )
    assert float(fooling_loss(labeled, unlabeled)) == pytest.approx(
        of_labeled + (math.log1p(math.exp(1.0)) + math.log(2)) / 2
    )


def test_a_constant_critic_is_right_in_half_whatever_the_shares() -> None:
    few, many = torch.full((2, 1), -3.0), torch.full((98, 1), -3.0)
    assert balanced_accuracy(few, many) == 0.5
    assert balanced_accuracy(-few, many) == 1.0
