"""Kullback-Leibler divergence in which classes weigh differently."""

from __future__ import annotations

import torch
from torch import Tensor

from edgeseg.errors import ConfigError
from edgeseg.students.losses.divergence import divergence
from edgeseg.students.losses.soft_label_loss import SMALLEST, SoftLabelLoss, Targets
from edgeseg.students.reduction import shared_mean


class ClassWeightedKL(SoftLabelLoss):
    """T² · Σ_pixels Σ_c w_c D_c / Σ_pixels Σ_c w_c p_t, with D_c = p_t log(p_t / p_s) - p_t + p_s.

    D is each class's share of the KL, see ``divergence``: never negative, 0 where p_s = p_t, and with equal weights its
    sum is the forward KL, since both p sum to 1. Weights on p_t log(p_t / p_s) alone would move the optimum from
    p_s = p_t to p_s ∝ w·p_t. The denominator is that of a weighted cross-entropy on soft labels, so that the
    weights' size plays no part.

    Args:
        temperature: See ``SoftLabelLoss``.
        class_weights: (C,) float32, not negative: rarity, or how far the ensemble is to be trusted on a class.
        t_squared: See ``SoftLabelLoss``.

    Raises:
        ConfigError: A weight is negative, or all are 0.
    """

    class_weights: Tensor

    def __init__(self, temperature: float, class_weights: Tensor, t_squared: bool = True) -> None:
        super().__init__(temperature, t_squared)
        if bool((class_weights < 0).any()) or not bool(class_weights.any()):
            raise ConfigError(f"class weights must not be negative, nor all 0, got {class_weights.tolist()}")
        self.register_buffer("class_weights", class_weights.float())

    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """See ``SoftLabelLoss``."""
        total = divergence(logits, self.temperature, targets, self.class_weights)
        # Σ over pixels of p_t, class by class, is one product of a matrix and a vector for each image.
        counted = targets.counted / targets.mass.clamp_min(SMALLEST)
        labels = torch.matmul(targets.probs.flatten(2), counted.flatten(1)[..., None]).sum((0, 2))
        return shared_mean(total, self.class_weights @ labels, least=1e-12)
