"""Kullback-Leibler divergence between a student's softened probabilities and soft labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Direction = Literal["forward", "reverse"]
SMALLEST = 1e-6
"""Soft labels are raised to this before their logarithm is taken; only ``reverse`` feels it."""


class SoftLabelKL(nn.Module):
    """KL between p_s = softmax(z_s / T) and the soft labels p_t, averaged over pixels, summed over classes.

    ``forward``: mean Σ_c p_t log(p_t / p_s). Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural
    Network", 2015; ``torch.nn.KLDivLoss``.
    ``reverse``: mean Σ_c p_s log(p_s / p_t). Kasarla 2019, eq. 4.4.

    With ``t_squared`` the result is multiplied by T², which keeps its gradient's size when T changes (Hinton,
    section 2.1). Pixels with no soft label (probabilities that sum to less than a half, as in the padding around
    a small frame) never count.

    Args:
        temperature: T > 0, the divisor of the student's logits.
        direction: ``forward`` or ``reverse``.
        t_squared: Whether to multiply by T².
    """

    def __init__(self, temperature: float, direction: Direction = "forward", t_squared: bool = True) -> None:
        super().__init__()
        self.temperature, self.direction = temperature, direction
        self.scale = temperature**2 if t_squared else 1.0

    def forward(self, logits: Tensor, soft_labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss in float32, whatever autocast is in force; 0 where no pixel counts.

        Args:
            logits: (N, C, h, w), any floating type.
            soft_labels: (N, C, H, W) probabilities; of another size they are resized bilinearly to the logits'.
            mask: (N, h, w) bool, the pixels that count; None for all.

        Returns:
            () float32, nats (times T²).
        """
        with torch.autocast(logits.device.type, enabled=False):
            teacher, valid = _normalised(soft_labels.float(), logits.shape[-2], logits.shape[-1])
            log_student = functional.log_softmax(logits.float() / self.temperature, dim=1)
            divergence = self._per_pixel(log_student, teacher)
            counted = valid if mask is None else valid & mask
            return divergence.mul(counted).sum() / counted.sum().clamp_min(1) * self.scale

    def _per_pixel(self, log_student: Tensor, teacher: Tensor) -> Tensor:
        if self.direction == "forward":
            return (torch.xlogy(teacher, teacher) - teacher * log_student).sum(1)
        return (log_student.exp() * (log_student - teacher.clamp_min(SMALLEST).log())).sum(1)


def _normalised(soft_labels: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    if soft_labels.shape[-2:] != (height, width):
        soft_labels = functional.interpolate(soft_labels, size=(height, width), mode="bilinear", align_corners=False)
    total = soft_labels.sum(1)
    return soft_labels / total[:, None].clamp_min(SMALLEST), total > 0.5
