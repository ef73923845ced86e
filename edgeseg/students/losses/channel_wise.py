"""Channel-wise distillation: where in the image a class is, rather than which class a pixel is."""

from __future__ import annotations

from torch import Tensor

from edgeseg.students.losses.soft_label_loss import SMALLEST, SoftLabelLoss, Targets, mean_over_images

_NOWHERE = -1e9
"""Activation of a pixel that does not count: its share of the softmax is an exact 0, its logarithm finite."""


class ChannelWise(SoftLabelLoss):
    """T²/C · Σ_c Σ_i φ_t log(φ_t / φ_s), φ the softmax of a class's activations over the pixels i that count.

    Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021, eq. 3 to 5; averaged over
    images. φ_s is of z_s / T. A cache holds no logits: the teacher's z_t / T are taken as log p_t, which knows
    them up to a constant for each pixel (softened by the temperatures that the cache was built with, so choose
    T like them). That constant is free in the student's logits too, so both are centred: their mean over the
    classes is subtracted at each pixel.

    Args:
        temperature: See ``SoftLabelLoss``.
        t_squared: See ``SoftLabelLoss``.
    """

    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """See ``SoftLabelLoss``."""
        log_teacher = _log_shares(targets.probs.clamp_min(SMALLEST).log(), targets.counted)
        log_student = _log_shares(logits / self.temperature, targets.counted)
        per_image = (log_teacher.exp() * (log_teacher - log_student)).sum(2).mean(1)
        return mean_over_images(per_image, targets)


def _log_shares(activations: Tensor, counted: Tensor) -> Tensor:
    """Logarithm of φ (N, C, h·w) of activations (N, C, h, w)."""
    centred = activations - activations.mean(1, keepdim=True)
    return centred.masked_fill(~counted[:, None], _NOWHERE).flatten(2).log_softmax(2)
