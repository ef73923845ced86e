"""Prices at which budgets would just be spent: the dual of a fractional knapsack over a sample of the stream.

With a budget of frames alone the price is the score that the budget's share of the frames reaches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SWEEPS = 4
HALVINGS = 24


def prices(worth: NDArray[np.float64], costs: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least prices at which the sample spends no more than the targets.

    Args:
        worth: (N, F) float64, 0 or more: worth of each form of each candidate.
        costs: (N, F, K) float64, 0 or more.
        targets: (K,) float64: mean spending a candidate, above 0.

    Returns:
        (K,) float64, in worth per unit of cost; 0 where a budget does not bind.
    """
    found = np.zeros(len(targets))
    # One price at a time, the others held: each step lowers the dual, which is convex.
    for _ in range(SWEEPS if len(targets) > 1 else 1):
        for which in range(len(targets)):
            found[which] = _price(worth, costs, found, which, targets[which])
    return found


def best_form(
    worth: NDArray[np.float64], costs: NDArray[np.float64], price: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which form gains most at these prices, and how much: (N,) and (N,); what gains nothing is not to be kept."""
    gains = worth - costs @ price
    best = gains.argmax(-1)
    return best, np.take_along_axis(gains, best[..., None], -1)[..., 0]


def _price(
    worth: NDArray[np.float64], costs: NDArray[np.float64], others: NDArray[np.float64], which: int, target: float
) -> float:
    def spends_too_much(price: float) -> bool:
        trial = others.copy()
        trial[which] = price
        form, gain = best_form(worth, costs, trial)
        spent = costs[np.arange(len(form)), form, which]
        return float(spent[gain > 0].sum()) > target * len(worth)

    if not len(worth) or not spends_too_much(0.0):
        return 0.0
    cost = costs[:, :, which]
    per_unit = worth / np.where(cost > 0, cost, np.inf)
    low, high = 0.0, float(per_unit.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if spends_too_much(middle) else (low, middle)
    return high
