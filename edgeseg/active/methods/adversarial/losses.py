"""What autoencoder and critic are trained for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def mean_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = (μ² + σ² − log σ² − 1) / 2, the mean over frames and latents, in nats.

    VAAL's code sums where its reconstruction error is a mean, so that the latents soon say nothing; the mean is
    TA-VAAL's (Kim et al., "Task-Aware Variational Adversarial Active Learning", CVPR 2021).
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()


def autoencoder_loss(
    images: Tensor, reconstruction: Tensor, mean: Tensor, log_variance: Tensor, kl_weight: float
) -> Tensor:
    """MSE + β·KL, both means; () float32."""
    return functional.mse_loss(reconstruction, images) + kl_weight * mean_kl(mean, log_variance)


def fooling_loss(labeled: Tensor, unlabeled: Tensor) -> Tensor:
    """BCE(D(μ_L), 1) + BCE(D(μ_U), 1) of the critic's logits: the encoder makes all frames look labeled."""
    return _against(labeled, 1.0) + _against(unlabeled, 1.0)


def critic_loss(labeled: Tensor, unlabeled: Tensor) -> Tensor:
    """BCE(D(μ_L), 1) + BCE(D(μ_U), 0) of the critic's logits."""
    return _against(labeled, 1.0) + _against(unlabeled, 0.0)


def balanced_accuracy(labeled: Tensor, unlabeled: Tensor) -> float:
    """Mean of the shares of either kind that the critic's logits tell right; a constant critic has 0.5."""
    return float(((labeled > 0).float().mean() + (unlabeled <= 0).float().mean()) / 2)


def _against(logits: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
