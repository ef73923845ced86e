"""Pair-wise distillation: which parts of an image are alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.errors import ConfigError
from edgeseg.students.losses.soft_label_loss import SoftLabelLoss, Targets, mean_over_images


class Pairwise(SoftLabelLoss):
    """T² · mean over pairs of cells (i, j) of (a_s - a_t)², a_ij = f_i·f_j / (|f_i| |f_j|); averaged over images.

    Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019, eq. 2. There f are
    features; a cache holds soft labels alone, so here f_i are the class probabilities pooled over cell i, the
    student's being softmax(z_s / T). Only pixels that count are pooled, and only cells that have one form pairs.
    It says nothing of which class is which: it goes with the cross-entropy. At a high T all cells are alike and the
    gradient falls with T⁴, which T² makes up for in part: set λ by its ratio to the cross-entropy.

    Args:
        temperature: See ``SoftLabelLoss``.
        t_squared: See ``SoftLabelLoss``.
        cell: Side of a cell in pixels of the logits; at a border cells are smaller.

    Raises:
        ConfigError: ``cell`` is no whole number of pixels.
    """

    def __init__(self, temperature: float, t_squared: bool = True, cell: int = 8) -> None:
        super().__init__(temperature, t_squared)
        if not isinstance(cell, int) or cell < 1:
            raise ConfigError(f"kl_options.cell must be a whole number of pixels from 1 on, got {cell!r}")
        self._pooling: dict[str, Any] = {"kernel_size": cell, "ceil_mode": True, "count_include_pad": False}

    def distance(self, logits: Tensor, targets: Targets) -> Tensor:
        """See ``SoftLabelLoss``."""
        counted = targets.counted[:, None].float()
        student = self._cells((logits / self.temperature).softmax(1) * counted)
        teacher = self._cells(targets.probs * counted)
        cells = functional.avg_pool2d(counted, **self._pooling).gt(0).flatten(1).sum(1)
        # ‖SSᵀ - TTᵀ‖² over M × M pairs is ‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖², C × C each: no affinity matrix is made.
        squares = _gram(student, student) - 2 * _gram(student, teacher) + _gram(teacher, teacher)
        return mean_over_images((squares / cells.clamp_min(1) ** 2).float(), targets)

    def _cells(self, probs: Tensor) -> Tensor:
        """Unit vectors (N, C, M) float64 of the M cells, since three large sums are to cancel; 0 for an empty cell."""
        pooled = functional.avg_pool2d(probs, **self._pooling).flatten(2)
        return functional.normalize(pooled.double(), dim=1)


def _gram(one: Tensor, two: Tensor) -> Tensor:
    return torch.matmul(one, two.transpose(1, 2)).square().sum((1, 2))
