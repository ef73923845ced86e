"""Forward Kullback-Leibler divergence: the teacher's expectation, as Hinton and torch have it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.students.losses.soft_label_loss import SMALLEST, SoftLabelLoss, Targets, mean_over_counted


class ForwardKL(SoftLabelLoss):
    """T² · mean over pixels of Σ_c p_t log(p_t / p_s), p_s = softmax(z_s / T), in nats.

    Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; ``torch.nn.KLDivLoss``. It covers
    whatever the teacher holds possible.

    Args:
        temperature: See ``SoftLabelLoss``.
        t_squared: See ``SoftLabelLoss``.
    """

    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """See ``SoftLabelLoss``."""
        return mean_over_counted(_per_pixel(functional.log_softmax(logits, dim=1), targets), targets.counted)


def _per_pixel(log_student: Tensor, targets: Targets) -> Tensor:
    # Σ p_t log(p_t / p_s) = Σ q log(q / p_s) / mass - log mass with q = mass · p_t: q need not be normalised.
    probs, mass = targets.probs, targets.mass.clamp_min(SMALLEST)
    log_probs = probs.clamp_min(torch.finfo(torch.float32).tiny).log()  # four times as fast as xlogy
    negative_entropy = log_probs.mul_(probs).sum(1)
    return (negative_entropy - (probs * log_student).sum(1)) / mass - mass.log()
