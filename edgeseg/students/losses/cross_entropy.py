"""Cross-entropy on labels: class weights, ignored pixels, label smoothing, hard example mining."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.classes import IGNORE_INDEX
from edgeseg.students.reduction import shared_mean

OhemKind = Literal["off", "share", "threshold"]


class CrossEntropy(nn.Module):
    """Weighted mean of the pixels' cross-entropy: Σ w_y · -log p_y / Σ w_y over labeled pixels.

    With hard example mining both sums run over the kept pixels alone (Shrivastava et al., "Training
    Region-based Object Detectors with Online Hard Example Mining", CVPR 2016, applied per pixel). A pixel is
    hard if its true class has a low probability; class weights play no part in the choice. Where several processes
    train, both sums run over the batch of all, but each process chooses among its own pixels.

    Args:
        class_weights: (C,) float32, or None for equal weights.
        ohem: See ``settings.LossSettings``.
        ohem_share: Share of the labeled pixels of a batch that is kept at least, in (0, 1].
        ohem_threshold: Probability of the true class below which ``threshold`` keeps a pixel.
        label_smoothing: Share of the target that is spread evenly over the classes, in [0, 1).
    """

    class_weights: Tensor | None

    def __init__(
        self,
        class_weights: Tensor | None = None,
        ohem: OhemKind = "off",
        ohem_share: float = 0.25,
        ohem_threshold: float = 0.7,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights)
        self.ohem, self.ohem_share, self.ohem_threshold = ohem, ohem_share, ohem_threshold
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Computes the loss in float32; 0 where no pixel is labeled.

        Args:
            logits: (N, C, h, w), any floating type.
            label: (N, H, W) uint8 train ids, 255 ignored; of another size it is resized to the logits'.

        Returns:
            () float32, nats.
        """
        logits = logits.float()
        target = resize_label(label, logits.shape[-2], logits.shape[-1]).long()
        if self.ohem != "off":
            target = self._keep_hard(logits, target)
        total = functional.cross_entropy(
            logits,
            target,
            weight=self.class_weights,
            ignore_index=IGNORE_INDEX,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        return shared_mean(total, self._weight_of(target), least=1e-12)

    def _weight_of(self, target: Tensor) -> Tensor:
        valid = target != IGNORE_INDEX
        if self.class_weights is None:
            return valid.sum().float()
        return (self.class_weights[target.masked_fill(~valid, 0)] * valid).sum()

    @torch.no_grad()
    def _keep_hard(self, logits: Tensor, target: Tensor) -> Tensor:
        surprise = functional.cross_entropy(logits, target, ignore_index=IGNORE_INDEX, reduction="none")
        surprise = surprise.masked_fill(target == IGNORE_INDEX, -1.0)
        labeled = int((target != IGNORE_INDEX).sum())
        if not labeled:
            return target
        keep = max(1, round(labeled * self.ohem_share))
        least = surprise.flatten().topk(keep, sorted=True).values[-1]
        if self.ohem == "threshold":
            least = least.minimum(-torch.log(least.new_tensor(self.ohem_threshold)))
        return target.masked_fill(surprise < least, IGNORE_INDEX)


def resize_label(label: Tensor, height: int, width: int) -> Tensor:
    """Resizes class maps (N, H, W) by the nearest neighbour of each half-pixel centre, keeping their type."""
    if label.shape[-2:] == (height, width):
        return label
    return functional.interpolate(label[:, None], size=(height, width), mode="nearest-exact")[:, 0]
