"""DEAL's difficulty branch, its loss and its two scores: where the network is likely to be wrong.

Xie et al., "DEAL: Difficulty-aware Active Learning for Semantic Segmentation", ACCV 2020.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.classes import IGNORE_INDEX

ATTENTION_SIZE = (30, 40)
"""Height and width of the map that attends to itself. The authors have 60×80 for CamVid, 16 times the products."""


class ProbabilityAttention(nn.Module):
    """Q = γ · P · Aᵀ + P, A the softmax along the rows of PᵀP: pixels of alike class probabilities share theirs.

    γ is learned and starts at 0, where Q is P (section 3.2; the position attention of Fu et al., "Dual Attention
    Network", CVPR 2019, without its projections).
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, probs: Tensor) -> Tensor:
        """Lets probabilities P (N, C, h, w) attend to each other; the result has the same shape."""
        pixels = probs.flatten(2).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(pixels, pixels, pixels, scale=1.0)
        return self.gamma * attended.transpose(1, 2).view_as(probs) + probs


class DifficultyBranch(nn.Module):
    """Attention on class probabilities, and a 1×1 convolution from C classes to one number: C + 2 weights in all.

    Args:
        num_classes: C.
        size: Height and width at which the probabilities attend.
        detached: Whether the branch's loss leaves the segmentation alone; the authors' reaches its head.
    """

    def __init__(self, num_classes: int, size: tuple[int, int] = ATTENTION_SIZE, detached: bool = False) -> None:
        super().__init__()
        self.attention, self.classifier = ProbabilityAttention(), nn.Conv2d(num_classes, 1, 1)
        self.size, self.detached = size, detached

    def forward(self, logits: Tensor) -> Tensor:
        """Judges each pixel of a prediction.

        Args:
            logits: (N, C, H, W) of the segmentation, any floating type.

        Returns:
            (N, H, W) float32 logits of the difficulty; its sigmoid is the difficulty m, in 0 to 1.
        """
        logits = logits.detach() if self.detached else logits
        probs = _resized(logits.float(), self.size).softmax(1)
        judged: Tensor = self.classifier(self.attention(probs))
        return _resized(judged, (logits.shape[2], logits.shape[3]))[:, 0]


def difficulty_loss(difficulty: Tensor, logits: Tensor, label: Tensor) -> Tensor:
    """w₀ · mean BCE over right pixels + w₁ · mean BCE over wrong ones, w_k ∝ 1 / √(n_k + 1), w₀ + w₁ = 1.

    A pixel is wrong (target 1) where the most probable class is not its label's; n₀ and n₁ count the right and the
    wrong pixels of the batch. Pixels without label are neither, while the authors' count them as right.

    Args:
        difficulty: (N, H, W) logits of ``DifficultyBranch``.
        logits: (N, C, H, W) of the segmentation.
        label: (N, H, W) uint8 train ids, 255 ignored.

    Returns:
        () float32, nats; 0 where no pixel is labeled.
    """
    labeled = label != IGNORE_INDEX
    wrong = (logits.argmax(1) != label) & labeled
    surprise = functional.binary_cross_entropy_with_logits(difficulty.float(), wrong.float(), reduction="none")
    kinds = torch.stack([labeled & ~wrong, wrong])
    counts = kinds.sum((1, 2, 3)).float()
    means = (surprise * kinds).sum((1, 2, 3)) / counts.clamp_min(1)
    weights = (counts + 1).rsqrt()
    return (weights / weights.sum() * means).sum()


def difficulty_score(difficulty: NDArray[np.float32]) -> float:
    """DS: mean of a difficulty map (H, W), in 0 to 1."""
    return float(difficulty.mean(dtype=np.float64))


def difficulty_entropy(difficulty: NDArray[np.float32], levels: int = 8, fixed: bool = False) -> float:
    """DE: entropy of the areas of the levels of difficulty.

    Args:
        difficulty: (H, W) in 0 to 1.
        levels: Number K of equally wide levels.
        fixed: Whether they span 0 to 1. The authors' span each image's own range, which an image that is easy all
            over fills as well as one that is half easy, half hard.

    Returns:
        Nats, in 0 to log K.
    """
    areas, _ = np.histogram(difficulty, bins=levels, range=(0.0, 1.0) if fixed else None)
    shares = areas[areas > 0] / areas.sum()
    return float(-(shares * np.log(shares)).sum())


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
