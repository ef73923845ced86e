"""The network that values the labeling of a region."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeseg.active.methods.region_dqn.divergences import BINS
from edgeseg.active.methods.region_dqn.vectors import vector_length

_DEEP = 128


class QueryNetwork(nn.Module):
    """Q(s, a) = σ(w · κ_a) · v · [φ_a(a); φ_s(s)], κ_a the candidate's two histograms of divergences.

    Layers and their order (batch norm, ReLU, linear) are those of the authors' code.

    Args:
        num_classes: C.
        state_regions: S, regions whose predictions are the state.
    """

    def __init__(self, num_classes: int, state_regions: int) -> None:
        super().__init__()
        length = vector_length(num_classes)
        self.region = nn.Sequential(_layer(length, 256), _layer(256, _DEEP), _layer(_DEEP, 1))
        self.state = _layer(state_regions, _DEEP)
        self.action = nn.Sequential(_layer(length, 512), _layer(512, 256), _layer(256, _DEEP))
        self.value = nn.Sequential(nn.BatchNorm1d(2 * _DEEP), nn.Linear(2 * _DEEP, 1))
        self.gate = _layer(2 * BINS, 1)

    def forward(self, state: Tensor, candidates: Tensor) -> Tensor:
        """Values the candidates of each of P pools.

        Args:
            state: (P, S, V) float32 vectors of the state's regions.
            candidates: (P, N, V + 64) float32, vectors and histograms.

        Returns:
            (P, N), in the reward's unit.
        """
        pools, size, _ = candidates.shape
        flat = candidates.flatten(0, 1)
        vectors, histograms = flat[:, : -2 * BINS], flat[:, -2 * BINS :]
        seen = self.state(self.region(state.flatten(0, 1)).view(pools, -1))
        joined = torch.cat((self.action(vectors), seen.repeat_interleave(size, 0)), 1)
        values: Tensor = torch.sigmoid(self.gate(histograms)) * self.value(joined)
        return values.view(pools, size)


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(inputs), nn.ReLU(), nn.Linear(inputs, outputs))
