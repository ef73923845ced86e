"""How unlike a candidate's classes are to those of other regions: histograms of Kullback-Leibler divergences."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 32
SMOOTHING = 1e-7
"""Added to each share, so that no divergence is infinite."""


def kl_divergences(candidates: Tensor, others: Tensor) -> Tensor:
    """KL(candidate ‖ other) of class shares, in nats.

    Args:
        candidates: (N, B), rows that sum to 1.
        others: (M, B).

    Returns:
        (N, M) float32.
    """
    p, q = (_smoothed(x) for x in (candidates, others))
    return (p * p.log()).sum(1, keepdim=True) - p @ q.log().T


def kl_histograms(candidates: Tensor, others: Tensor) -> Tensor:
    """Shares of the divergences from each candidate to all others, in bins between its own smallest and largest.

    The bins are those of the authors' code, ``numpy.histogram``'s own.

    Args:
        candidates: (N, B) class shares.
        others: (M, B); where M is 0, as before the first label, the histograms are 0.

    Returns:
        (N, 32) float32.
    """
    if not len(others):
        return torch.zeros(len(candidates), BINS)
    divergences = kl_divergences(candidates, others)
    low, high = divergences.amin(1, keepdim=True), divergences.amax(1, keepdim=True)
    # All alike: numpy widens the range by a half on both sides, and the middle bin holds everything.
    flat = high == low
    low, width = torch.where(flat, low - 0.5, low), torch.where(flat, torch.ones_like(low), high - low)
    places = ((divergences - low) / width * BINS).long().clamp_(0, BINS - 1)
    counts = torch.zeros(len(candidates), BINS).scatter_add_(1, places, torch.ones_like(divergences))
    return counts / divergences.shape[1]


def _smoothed(shares: Tensor) -> Tensor:
    raised = shares + SMOOTHING
    return raised / raised.sum(1, keepdim=True)
