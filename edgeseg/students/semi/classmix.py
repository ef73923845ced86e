"""ClassMix: classes of one image pasted on another (Olsson et al., "ClassMix", WACV 2021)."""

from __future__ import annotations

import torch
from torch import Tensor


def shown_classes(labels: Tensor, num_classes: int) -> Tensor:
    """Which classes each label map shows.

    Args:
        labels: (N, H, W) integer train ids; every value from ``num_classes`` on is no class.
        num_classes: C.

    Returns:
        (N, C) bool.
    """
    shown = torch.zeros(labels.shape[0], num_classes + 1, dtype=torch.bool, device=labels.device)
    return shown.scatter_(1, _clamped(labels, num_classes), True)[:, :num_classes]


def draw_half(shown: Tensor, generator: torch.Generator) -> Tensor:
    """Draws half of each image's classes, rounded down, each class being as likely as the others.

    Args:
        shown: (N, C) bool.
        generator: Of the CPU.

    Returns:
        (N, C) bool.
    """
    order = torch.rand(shown.shape, generator=generator).to(shown.device).masked_fill(~shown, 2.0).argsort(1).argsort(1)
    return order < shown.sum(1, keepdim=True) // 2


def mask_of(labels: Tensor, classes: Tensor) -> Tensor:
    """Where the label maps (N, H, W) show one of each image's ``classes`` (N, C) bool: (N, H, W) bool."""
    outside = classes.new_zeros(classes.shape[0], 1)
    chosen = torch.cat([classes, outside], 1).gather(1, _clamped(labels, classes.shape[1]))
    return chosen.view(labels.shape)


def paste_on_next(mask: Tensor, batch: Tensor) -> Tensor:
    """Pastes the masked pixels of each of N maps on the next one, of the last on the first.

    Args:
        mask: (N, H, W) bool.
        batch: (N, H, W) or (N, D, H, W).

    Returns:
        Shape and type of ``batch``.
    """
    moved = mask.roll(1, 0)
    return torch.where(moved if batch.ndim == 3 else moved[:, None], batch.roll(1, 0), batch)


def _clamped(labels: Tensor, num_classes: int) -> Tensor:
    return labels.flatten(1).long().clamp_max(num_classes)
