"""The ensemble's soft labels (Kasarla 2019, section 4.2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgeseg.errors import ConfigError


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Eq. 4.2: p_k = exp(z_k / T) / Σ_j exp(z_j / T).

    Args:
        logits: z, (C, H, W) float.
        temperature: T > 0.

    Returns:
        (C, H, W) float32 probabilities, Σ over C = 1.
    """
    return torch.softmax(logits.float() / temperature, dim=0)


def combine(probs: Sequence[Tensor], class_weights: Tensor) -> Tensor:
    """Eq. 4.1, corrected: the class-wise weighted mean over teachers i, renormalised over classes k.

        p̃_k = Σ_i c_k^i · p_k^i / Σ_i c_k^i,        p = p̃ / Σ_k p̃_k

    The thesis prints the sum in the denominator over classes; it is over teachers. Since the weights differ
    by class, p̃ does not sum to 1 over classes, which the second step mends. A class whose weights are
    all zero falls back to equal weights.

    Args:
        probs: M tensors (C, H, W) float, each Σ over C = 1.
        class_weights: (M, C) float, c ≥ 0: teacher i's IoU of class k on the training split.

    Returns:
        (C, H, W) float32, Σ over C = 1.

    Raises:
        ConfigError: The shapes do not agree, or a weight is negative or not finite.
    """
    share = _shares(class_weights, len(probs))
    if any(p.shape != probs[0].shape or p.shape[0] != share.shape[1] for p in probs):
        raise ConfigError(
            f"probabilities of shapes {[tuple(p.shape) for p in probs]} do not fit "
            f"class weights (teachers, classes) of shape {tuple(class_weights.shape)}"
        )
    mixed = torch.zeros_like(probs[0], dtype=torch.float32)
    for weight, p in zip(share.to(mixed.device), probs, strict=True):
        mixed += weight[:, None, None] * p.float()
    # Where every teacher's mass lies in classes of weight zero p̃ vanishes: the plain mean is all that is left.
    lost = mixed.sum(dim=0) < torch.finfo(torch.float32).tiny
    if bool(lost.any()):
        mixed = torch.where(lost, torch.stack([p.float() for p in probs]).mean(dim=0), mixed)
    return mixed / mixed.sum(dim=0)


def _shares(class_weights: Tensor, teachers: int) -> Tensor:
    """c_k^i / Σ_i c_k^i (M, C) float32, equal where the sum is zero."""
    weights = class_weights.double()
    if weights.ndim != 2 or weights.shape[0] != teachers or teachers == 0:
        raise ConfigError(
            f"class weights must be (teachers, classes), got {tuple(weights.shape)} for {teachers} teacher(s)"
        )
    if not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
        raise ConfigError(f"class weights must be finite and not negative, got {class_weights.tolist()}")
    total = weights.sum(dim=0)
    return torch.where(total > 0, weights / total.clamp_min(torch.finfo(torch.float64).tiny), 1 / teachers).float()
