"""Pseudo-labels: what a teacher says of unlabeled images, and the loss on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.classes import IGNORE_INDEX
from edgeseg.students.compiling import Forward
from edgeseg.students.reduction import shared_mean


@dataclass(frozen=True)
class PseudoLabels:
    """What a teacher says.

    Attributes:
        labels: (N, H, W) uint8 train ids, 255 where nothing counts.
        confidence: (N, H, W) float32, the probability of that class, 0 where nothing counts.
    """

    labels: Tensor
    confidence: Tensor


def predict(teacher: Forward, images: Tensor) -> PseudoLabels:
    """Lets a network in evaluation mode label images (N, 3, H, W)."""
    with torch.inference_mode():
        logits = teacher(images)
        assert isinstance(logits, Tensor)
        logits = logits.float()
        best, labels = logits.max(1)
        confidence = (best - logits.logsumexp(1)).exp_()
        labels = labels.to(torch.uint8)
    return PseudoLabels(labels.clone(), confidence.clone())  # tensors of inference mode could not enter a loss


def arrange(found: PseudoLabels, flips: Tensor, inside: Tensor) -> PseudoLabels:
    """Turns a teacher's labels into the student's view.

    Args:
        found: What the teacher says of the images as they are.
        flips: (N,) bool, which images the student sees mirrored.
        inside: (N, H, W) bool, in the student's view; labels elsewhere do not count.
    """
    mirrored = flips[:, None, None]
    labels, confidence = (torch.where(mirrored, x.flip(2), x) for x in (found.labels, found.confidence))
    return PseudoLabels(labels.masked_fill(~inside, IGNORE_INDEX), confidence.masked_fill(~inside, 0.0))


def sure_share(found: PseudoLabels, threshold: float) -> Tensor:
    """w_n: the share of each image's labeled pixels with a confidence of at least the threshold, (N,) float32."""
    valid = found.labels != IGNORE_INDEX
    sure = (found.confidence >= threshold) & valid
    return sure.sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)


def pseudo_label_loss(
    logits: Tensor, target: PseudoLabels, threshold: float | None, class_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy on pseudo-labels: Σ w_y · w_n · c_i · CE_i / Σ w_y over labeled pixels.

    c_i is the confidence in pixel i, w_n the share of image n's pixels with c ≥ threshold (S4AL, region-based
    semi-supervised active learning; w_n from Liu et al., "ReCo", ICLR 2022), w_y the weight of the label's class.

    Args:
        logits: (N, C, H, W), any floating type.
        target: What the teacher says; pasted labels have confidence 1.
        threshold: None sets w_n · c_i = 1.
        class_weights: (C,) float32; None sets w_y = 1.

    Returns:
        () float32, nats; 0 where no pixel is labeled.
    """
    cross_entropy = functional.cross_entropy(
        logits.float(), target.labels.long(), weight=class_weights, ignore_index=IGNORE_INDEX, reduction="none"
    )
    if threshold is not None:
        cross_entropy = cross_entropy * target.confidence * sure_share(target, threshold)[:, None, None]
    valid = target.labels != IGNORE_INDEX
    if class_weights is None:
        return shared_mean(cross_entropy.sum(), valid.sum())
    weights = class_weights[target.labels.masked_fill(~valid, 0).long()] * valid
    return shared_mean(cross_entropy.sum(), weights.sum())
