"""Kullback-Leibler divergence in which classes weigh differently."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.errors import ConfigError
from edgeseg.students.losses.soft_label_loss import SoftLabelLoss, Targets
from edgeseg.students.reduction import shared_mean


class ClassWeightedKL(SoftLabelLoss):
    """T² · Σ_pixels Σ_c w_c D_c / Σ_pixels Σ_c w_c p_t, with D_c = p_t log(p_t / p_s) - p_t + p_s.

    D is the generalised divergence of Csiszár ("Why least squares and maximum entropy?", Annals of Statistics
    19, 1991), each class's share of the KL: never negative, 0 where p_s = p_t, and with equal weights its sum is
    the forward KL, since both p sum to 1. Weights on p_t log(p_t / p_s) alone would move the optimum from
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
        weights = self.class_weights[:, None, None] * targets.counted[:, None]
        teacher = targets.normalized()
        log_student = functional.log_softmax(logits, dim=1)
        log_teacher = teacher.clamp_min(torch.finfo(torch.float32).tiny).log()
        shares = teacher * (log_teacher - log_student) - teacher + log_student.exp()
        return shared_mean((weights * shares).sum(), (weights * teacher).sum(), least=1e-12)
