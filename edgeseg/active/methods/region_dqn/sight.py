"""From region vectors to what the policy sees: pools of candidates with their divergences beside them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.active.methods.region_dqn.divergences import kl_histograms
from edgeseg.active.methods.region_dqn.memory import Observation


def observe(
    state: Tensor, vectors: Tensor, pools: NDArray[np.intp], labeled_shares: Tensor, num_classes: int
) -> Observation:
    """What the policy sees of some pools.

    Args:
        state: (S, V) vectors of the state's regions.
        vectors: (R, V) of all regions.
        pools: (K, N) numbers of regions.
        labeled_shares: (L, C + 1) true class shares of the labeled regions.
        num_classes: C.

    Returns:
        Each candidate's vector, its divergences from the labeled regions, and those from all candidates.
    """
    candidates = vectors[torch.from_numpy(pools.ravel())]
    shares = candidates[:, : num_classes + 1]
    beside = (candidates, kl_histograms(shares, labeled_shares), kl_histograms(shares, shares))
    return Observation(state, torch.cat(beside, 1).view(*pools.shape, -1))
