"""What every loss on soft labels shares: temperature, T², size, and which pixels count."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.students.reduction import shared_mean

SMALLEST = 1e-6
"""Soft labels are raised to this before their logarithm is taken, where an exact zero would be infinite."""


@dataclass(frozen=True)
class Targets:
    """Soft labels at the size of the logits.

    Attributes:
        probs: (N, C, h, w) float32; where frame and padding were interpolated they sum to less than 1.
        mass: (N, h, w) float32, their sum over the classes.
        counted: (N, h, w) bool, the pixels that the loss looks at.
    """

    probs: Tensor
    mass: Tensor
    counted: Tensor

    def normalized(self) -> Tensor:
        """(N, C, h, w) float32 with Σ over C = 1, or 0 where there is no soft label."""
        return self.probs / self.mass.clamp_min(SMALLEST)[:, None]


class SoftLabelLoss(nn.Module):
    """A loss between a student's softened logits z_s / T and soft labels p_t, times T².

    The factor keeps the gradient's size when T changes (Hinton, Vinyals, Dean, "Distilling the Knowledge in a
    Neural Network", 2015, section 2.1). Pixels with no soft label (probabilities that sum to less than a half, as
    in the padding around a small frame) never count.

    Args:
        temperature: T > 0, the divisor of the student's logits.
        t_squared: Whether to multiply by T².
    """

    def __init__(self, temperature: float, t_squared: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.scale = temperature**2 if t_squared else 1.0

    def forward(self, logits: Tensor, soft_labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss in float32, whatever autocast is in force; 0 where no pixel counts.

        Args:
            logits: (N, C, h, w), any floating type.
            soft_labels: (N, C, H, W) probabilities; of another size they are resized bilinearly to the logits'.
            mask: (N, h, w) bool, the pixels that count; None for all.

        Returns:
            () float32.
        """
        with torch.autocast(logits.device.type, enabled=False):
            probs = _resized(soft_labels.float(), logits.shape[-2], logits.shape[-1])
            mass = probs.sum(1)
            counted = mass > 0.5 if mask is None else (mass > 0.5) & mask
            return self.scale * self.distance(logits.float(), Targets(probs, mass, counted))

    @abstractmethod
    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """The loss without T².

        Args:
            logits: (N, C, h, w) float32, not divided by T yet.
            targets: Soft labels of the same size.

        Returns:
            () float32.
        """


def mean_over_counted(per_pixel: Tensor, counted: Tensor) -> Tensor:
    """Mean of (N, h, w) values over the pixels that count; 0 where there are none. See ``shared_mean``."""
    return shared_mean(per_pixel.mul(counted).sum(), counted.sum())


def mean_over_images(per_image: Tensor, targets: Targets) -> Tensor:
    """Mean of (N,) values over the images that have a pixel that counts; 0 where there are none."""
    return mean_over_counted(per_image, targets.counted.flatten(1).any(1))


def _resized(soft_labels: Tensor, height: int, width: int) -> Tensor:
    if soft_labels.shape[-2:] == (height, width):
        return soft_labels
    return functional.interpolate(soft_labels, size=(height, width), mode="bilinear", align_corners=False)
