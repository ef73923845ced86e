"""Means over square cells."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CellMean(nn.Module):
    """Mean over square cells: (N, K, h, w) float → (N, K, ⌈h / cell⌉, ⌈w / cell⌉).

    Where the cell's side does not divide h or w, the last row or column of cells is partial and
    averages the pixels that it has. Written as zero padding and a constant factor, because runtimes
    disagree on what ``ceil_mode`` divides by.
    """

    def __init__(self, height: int, width: int, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.padding = (0, -width % cell, 0, -height % cell)
        counted = F.avg_pool2d(F.pad(torch.ones(1, 1, height, width), self.padding), cell)
        self.register_buffer("factor", 1.0 / counted, persistent=False)
        self.factor: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Averages each cell."""
        if not any(self.padding):
            # Rows first, which runtimes add up as they lie in memory; pooling of planes takes them twice as long.
            rows = x.reshape(x.shape[0], x.shape[1], x.shape[2] // self.cell, self.cell, x.shape[3]).mean(dim=3)
            return F.avg_pool2d(rows, (1, self.cell))
        return F.avg_pool2d(F.pad(x, self.padding), self.cell) * self.factor
