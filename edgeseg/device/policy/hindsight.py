"""What could have been kept by one who knew the whole drive, and by chance."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.novelty import KeptHashes
from edgeseg.device.policy.prices import best_form, prices
from edgeseg.device.policy.settings import PolicySettings

PRICE_SCALES = (1.0, 0.7, 0.5, 0.35, 0.2, 0.1, 0.0)
Choice = dict[int, int]
"""Position in the drive → position in the settings' forms."""


class Drive:
    """A drive as arrays.

    Args:
        candidates: Its frames in their order.
        worth: (N,) float64, of each frame in full.
        settings: The policy, whose forms, spacing and duplicates bind every choice.
        allowances: What may be spent on the whole drive, by budget.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        worth: NDArray[np.float64],
        settings: PolicySettings,
        allowances: dict[str, float],
    ) -> None:
        self._candidates = candidates
        self._settings = settings
        shares = np.array([settings.form_worth(form) for form in settings.forms])
        self.worth = worth[:, None] * shares
        self.costs = _costs(candidates, settings, list(allowances))
        self.allowances = np.array(list(allowances.values()))
        self._price = prices(self.worth, self.costs, self.allowances / len(candidates))

    def best(self) -> Choice:
        """The most valuable frames that the budgets allow together, chosen greedily with full knowledge.

        With a budget of frames alone, and neither spacing nor duplicates, this is the optimum. Spacing makes frames
        scarcer than budgets alone do, so that prices below the budgets' own are tried too.
        """
        tries = [self._greedy(self._price * scale) for scale in (PRICE_SCALES if self.worth.shape[1] > 1 else (1.0,))]
        return max(tries, key=self.total)

    def _greedy(self, price: NDArray[np.float64]) -> Choice:
        form, gain = best_form(self.worth, self.costs, price)
        cost = (self.costs / np.maximum(self.allowances, 1e-12)).sum(-1)
        form_worth = np.take_along_axis(self.worth, form[:, None], 1)[:, 0]
        density = form_worth / np.maximum(np.take_along_axis(cost, form[:, None], 1)[:, 0], 1e-12)
        # First what is worth its price, most gain first; then what still fits.
        order = np.lexsort((-density, -np.maximum(gain, 0)))
        return self._fill(order, form)

    def random(self, seed: int) -> Choice:
        """As many frames as the budgets allow, drawn blindly, each in the form that the drive's prices favour."""
        typical = (self.worth.mean(0) - self.costs.mean(0) @ self._price).argmax()
        order = np.random.default_rng(seed).permutation(len(self._candidates))
        return self._fill(order, np.full(len(order), typical))

    def total(self, choice: Choice) -> float:
        """Worth of a choice."""
        return float(sum(self.worth[frame, form] for frame, form in choice.items()))

    def _fill(self, order: Iterable[int], form: NDArray[np.intp]) -> Choice:
        chosen: Choice = {}
        left = self.allowances.copy()
        times: list[float] = []
        hashes = KeptHashes(len(self._candidates), self._settings.duplicate_bits)
        cheapest = self.costs.min((0, 1))
        for frame in map(int, order):
            if (left + 1e-9 < cheapest).any():
                break
            candidate, cost = self._candidates[frame], self.costs[frame, form[frame]]
            place = bisect(times, candidate.time_s)
            around = times[max(0, place - 1) : place + 1]
            near = any(abs(candidate.time_s - time_s) < self._settings.spacing_s for time_s in around)
            if near or (cost > left + 1e-9).any() or hashes.has_like(candidate.image_hash):
                continue
            chosen[frame] = int(form[frame])
            left -= cost
            times.insert(place, candidate.time_s)
            hashes.add(candidate.image_hash)
        return chosen


def _costs(candidates: Sequence[Candidate], settings: PolicySettings, budgets: list[str]) -> NDArray[np.float64]:
    costs = np.zeros((len(candidates), len(settings.forms), len(budgets)))
    for row, candidate in enumerate(candidates):
        by_form = {offer.form: offer for offer in candidate.offers}
        for column, form in enumerate(settings.forms):
            offer = by_form.get(form, candidate.offers[0])
            named = {"frames": 1.0, "bytes": float(offer.bytes), "regions": float(offer.regions)}
            costs[row, column] = [named[name] for name in budgets]
    return costs
