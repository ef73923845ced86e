"""EquAL: the network on an image and on its mirror image; what is uncertain in both, and a loss that makes them agree.

Golestaneh and Kitani, "Importance of Self-Consistency in Active Learning for Semantic Segmentation", BMVC 2020.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.classes import IGNORE_INDEX


def mirrored(batch: Tensor) -> Tensor:
    """Mirrors (..., W) left to right."""
    return batch.flip(-1)


def pixel_entropy(logits: Tensor) -> Tensor:
    """H = -Σ p log p of logits (N, C, H, W): (N, H, W) float32, nats; 0 for a probability of 0."""
    shares: Tensor = torch.special.entr(logits.float().softmax(1))
    return shares.sum(1)


def pair_entropy(logits: Tensor, of_mirrored: Tensor) -> Tensor:
    """H(z¹) + H(z²) of each pixel.

    Despite the method's name the two predictions are not compared: where both are certain of different classes the
    score is 0.

    Args:
        logits: (N, C, H, W), z¹, of the images.
        of_mirrored: (N, C, H, W) of the mirrored images as the network gives them; z² is mirrored back from it.

    Returns:
        (N, H, W) float32, nats.
    """
    return pixel_entropy(logits) + pixel_entropy(mirrored(of_mirrored))


def pair_terms(
    logits: Tensor, of_mirrored: Tensor, label: Tensor, cross_entropy: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """CE(z², y) + MSE(z¹, sg z²) + MSE(z², sg z¹), sg the stopped gradient; CE(z¹, y) is the training's own loss.

    All four terms have weight 1. The squared errors are a mean over the logits of all pixels, labeled or not, of every
    image with a labeled pixel.

    Args:
        logits: (N, C, H, W), z¹, of the images.
        of_mirrored: (N, C, H, W) of the mirrored images as the network gives them; z² is mirrored back from it.
        label: (N, H, W) uint8 train ids of the images, 255 ignored.
        cross_entropy: Of logits and label, over labeled pixels.

    Returns:
        () float32 each: ``loss``, the sum, and its parts ``mirrored_ce`` and ``consistency``, both squared errors
        together.
    """
    first, second = logits.float(), mirrored(of_mirrored).float()
    touched = (label != IGNORE_INDEX).flatten(1).any(1)
    terms = {
        "mirrored_ce": cross_entropy(second, label),
        "consistency": _error(first, second.detach(), touched) + _error(second, first.detach(), touched),
    }
    return {"loss": torch.stack(list(terms.values())).sum(), **terms}


def _error(logits: Tensor, target: Tensor, touched: Tensor) -> Tensor:
    errors = functional.mse_loss(logits, target, reduction="none").mean((1, 2, 3))
    return (errors * touched).sum() / touched.sum().clamp_min(1)
