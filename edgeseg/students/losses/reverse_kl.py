"""Reverse Kullback-Leibler divergence: the student's expectation, as the thesis prints it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgeseg.students.losses.soft_label_loss import SMALLEST, SoftLabelLoss, Targets, mean_over_counted


class ReverseKL(SoftLabelLoss):
    """T² · mean over pixels of Σ_c p_s log(p_s / p_t), p_s = softmax(z_s / T), in nats.

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, eq. 4.4. It settles
    on one of the classes that the teacher holds possible, and is cheap where the teacher is unsure.

    Args:
        temperature: See ``SoftLabelLoss``.
        t_squared: See ``SoftLabelLoss``.
    """

    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """See ``SoftLabelLoss``."""
        log_student = functional.log_softmax(logits / self.temperature, dim=1)
        log_ratio = log_student - targets.probs.clamp_min(SMALLEST).log()
        # The soft labels sum to their mass, which Σ p_s = 1 lets stand apart.
        per_pixel = (log_student.exp() * log_ratio).sum(1) + targets.mass.clamp_min(SMALLEST).log()
        return mean_over_counted(per_pixel, targets.counted)
