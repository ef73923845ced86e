"""Forward Kullback-Leibler divergence: the teacher's expectation, as Hinton and torch have it."""

from __future__ import annotations

from torch import Tensor

from edgeseg.students.losses.divergence import divergence
from edgeseg.students.losses.soft_label_loss import SoftLabelLoss, Targets
from edgeseg.students.reduction import shared_mean


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
        equal = logits.new_ones(logits.shape[1])
        return shared_mean(divergence(logits, self.temperature, targets, equal), targets.counted.sum())
