"""What a training minimises: cross-entropy of every head, and the KL term of a distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeseg.classes import IGNORE_INDEX
from edgeseg.students.losses.cross_entropy import CrossEntropy, resize_label
from edgeseg.students.losses.kl import SoftLabelKL


class Objective(nn.Module):
    """``ce_weight`` · (CE + Σ_i a_i · CE_i) + ``kl_weight`` · KL.

    CE_i are the auxiliary heads' losses, on the label resized down to each head (the cascade label guidance of
    ICNet: Zhao et al., ECCV 2018, section 3.2); KL is on the main head alone.

    Args:
        cross_entropy: The loss on labels.
        aux_weights: a_i, one an auxiliary head.
        kl: The loss on soft labels, or None.
        ce_weight, kl_weight: Weights of the two parts.
        kl_on_all: Whether pixels without label count in the KL term.
    """

    def __init__(
        self,
        cross_entropy: CrossEntropy,
        aux_weights: tuple[float, ...] = (),
        kl: SoftLabelKL | None = None,
        ce_weight: float = 1.0,
        kl_weight: float = 0.0,
        kl_on_all: bool = False,
    ) -> None:
        super().__init__()
        self.cross_entropy, self.kl = cross_entropy, kl
        self.aux_weights, self.ce_weight, self.kl_weight = aux_weights, ce_weight, kl_weight
        self.kl_on_all = kl_on_all

    def forward(
        self, outputs: Tensor | tuple[Tensor, ...], label: Tensor, soft_labels: Tensor | None
    ) -> dict[str, Tensor]:
        """Computes the terms.

        Args:
            outputs: Logits (N, C, h, w), or a tuple of them: the main head's, then the auxiliary heads'.
            label: (N, H, W) uint8 train ids, 255 ignored.
            soft_labels: (N, C, H, W) probabilities, or None without a KL term.

        Returns:
            () float32 each: ``loss`` (the sum to minimise), and the unweighted terms that it has of ``ce``, ``aux``
            (the weighted sum of the auxiliary losses), ``kl``.
        """
        logits, *aux = outputs if isinstance(outputs, tuple) else (outputs,)
        terms: dict[str, Tensor] = {}
        loss = logits.new_zeros(()).float()
        if self.ce_weight:
            terms["ce"] = self.cross_entropy(logits, label)
            loss = loss + self.ce_weight * terms["ce"]
        if self.ce_weight and aux:
            terms["aux"] = self._aux(aux, label)
            loss = loss + self.ce_weight * terms["aux"]
        if self.kl is not None and soft_labels is not None:
            terms["kl"] = self.kl(logits, soft_labels, self._mask(logits, label))
            loss = loss + self.kl_weight * terms["kl"]
        return {"loss": loss, **terms}

    def _aux(self, aux: list[Tensor], label: Tensor) -> Tensor:
        losses = [w * self.cross_entropy(head, label) for w, head in zip(self.aux_weights, aux, strict=True)]
        return torch.stack(losses).sum()

    def _mask(self, logits: Tensor, label: Tensor) -> Tensor | None:
        if self.kl_on_all:
            return None
        return resize_label(label, logits.shape[-2], logits.shape[-1]) != IGNORE_INDEX
