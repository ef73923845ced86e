"""What a training minimises: cross-entropy of every head, and the KL term of a distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeseg.classes import IGNORE_INDEX
from edgeseg.students.losses.cross_entropy import CrossEntropy, resize_label
from edgeseg.students.losses.kl_weight import KLWeight


class Objective(nn.Module):
    """``ce_weight`` · (CE + Σ_i a_i · CE_i) + λ · (KL + Σ_i a_i · KL_i).

    CE_i and KL_i are the auxiliary heads' losses, on the label and the soft labels resized down to each head (the
    cascade label guidance of ICNet: Zhao et al., ECCV 2018, section 3.2).

    Args:
        cross_entropy: The loss on labels.
        aux_weights: a_i, one an auxiliary head.
        kl: The loss on soft labels, called like ``SoftLabelLoss``, or None.
        ce_weight: Weight of the loss on labels.
        kl_weight: λ.
        kl_on_all: Whether pixels without label count in the KL term.
        kl_aux: Whether the auxiliary heads learn from soft labels too.
    """

    def __init__(
        self,
        cross_entropy: CrossEntropy,
        aux_weights: tuple[float, ...] = (),
        kl: nn.Module | None = None,
        ce_weight: float = 1.0,
        kl_weight: KLWeight | None = None,
        kl_on_all: bool = False,
        kl_aux: bool = True,
    ) -> None:
        super().__init__()
        self.cross_entropy, self.kl = cross_entropy, kl
        self.aux_weights, self.ce_weight = aux_weights, ce_weight
        self.kl_weight = kl_weight or KLWeight()
        self.kl_on_all, self.kl_aux = kl_on_all, kl_aux

    def forward(
        self, outputs: Tensor | tuple[Tensor, ...], label: Tensor, soft_labels: Tensor | None
    ) -> dict[str, Tensor]:
        """Computes the terms.

        Args:
            outputs: Logits (N, C, h, w), or a tuple of them: the main head's, then the auxiliary heads'.
            label: (N, H, W) uint8 train ids, 255 ignored.
            soft_labels: (N, C, H, W) probabilities, or None without a KL term.

        Returns:
            () float32 each: ``loss`` (the sum to minimise), and of what it has: the unweighted ``ce`` and ``kl`` of
            the main head, ``aux`` and ``aux_kl`` (Σ_i a_i · CE_i and Σ_i a_i · KL_i), ``kl_weight`` (λ) and
            ``kl_part`` (λ · ``kl``).
        """
        logits, *aux = outputs if isinstance(outputs, tuple) else (outputs,)
        terms: dict[str, Tensor] = {}
        loss = logits.new_zeros(()).float()
        if self.ce_weight:
            terms |= self._label_terms(logits, aux, label)
            loss = loss + self.ce_weight * (terms["ce"] + terms.get("aux", 0.0))
        if self.kl is not None and soft_labels is not None:
            terms |= self._kl_terms(self.kl, logits, aux, label, soft_labels)
            terms |= self._weighted(terms)
            loss = loss + terms["kl_weight"] * (terms["kl"] + terms.get("aux_kl", 0.0))
        return {"loss": loss, **terms}

    def figures(self, means: dict[str, float]) -> dict[str, float]:
        """Mean terms of an epoch as they are told: ``kl_ce_ratio``, λ·KL / CE, stands in the place of ``kl_part``."""
        told = {name: value for name, value in means.items() if name != "kl_part"}
        if means.get("ce") and "kl_part" in means:
            told["kl_ce_ratio"] = means["kl_part"] / (self.ce_weight * means["ce"])
        return told

    def _label_terms(self, logits: Tensor, aux: list[Tensor], label: Tensor) -> dict[str, Tensor]:
        terms = {"ce": self.cross_entropy(logits, label)}
        if aux:
            losses = [w * self.cross_entropy(head, label) for w, head in zip(self.aux_weights, aux, strict=True)]
            terms["aux"] = torch.stack(losses).sum()
        return terms

    def _kl_terms(
        self, kl: nn.Module, logits: Tensor, aux: list[Tensor], label: Tensor, soft_labels: Tensor
    ) -> dict[str, Tensor]:
        def measure(head: Tensor) -> Tensor:
            found: Tensor = kl(head, soft_labels, self._mask(head, label))
            return found

        terms = {"kl": measure(logits)}
        if aux and self.kl_aux:
            terms["aux_kl"] = torch.stack(
                [w * measure(head) for w, head in zip(self.aux_weights, aux, strict=True)]
            ).sum()
        return terms

    def _weighted(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        weight = self.kl_weight(self.ce_weight * terms["ce"] if "ce" in terms else None, terms["kl"])
        return {"kl_weight": weight, "kl_part": weight * terms["kl"].detach()}

    def _mask(self, logits: Tensor, label: Tensor) -> Tensor | None:
        if self.kl_on_all:
            return None
        return resize_label(label, logits.shape[-2], logits.shape[-1]) != IGNORE_INDEX
