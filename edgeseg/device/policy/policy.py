"""The policy: one candidate after the other, kept or not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.policy.account import Account
from edgeseg.device.policy.candidate import Candidate, Form, Offer
from edgeseg.device.policy.held import Held, HeldItem
from edgeseg.device.policy.novelty import KeptHashes
from edgeseg.device.policy.prices import best_form, prices
from edgeseg.device.policy.rarity import Rarity
from edgeseg.device.policy.sample import StreamSample
from edgeseg.device.policy.settings import PolicySettings

POLICY_NAME, POLICY_VERSION = "top-share", "3"
REPRICE_EVERY = 16
"""Prices are computed anew after so many candidates, and after every one of the first as many."""
TakeOut = Callable[[Sequence[str]], Collection[str]]
"""Takes kept frames out of where they are, all of them or none; tells which cannot be taken out any more."""
Reason = Literal["kept", "triggered", "below the price", "budget spent", "duplicate", "too close", "displaced"]


@dataclass(frozen=True)
class Decision:
    """What became of a candidate.

    Attributes:
        candidate: Which one.
        reason: Why it is kept or not; ``displaced`` where it was kept until now.
        form: How much of it is kept, None where it is not.
        worth: What it is worth in that form; of one not kept, in full.
    """

    candidate: Candidate
    reason: Reason
    form: Form | None
    worth: float

    @property
    def kept(self) -> bool:
        """Whether it is kept."""
        return self.form is not None


@dataclass(frozen=True)
class _Waiting:
    """The best candidate of the running stretch, what it is worth in full, and when the stretch began."""

    candidate: Candidate
    worth: float
    opened_s: float


class Policy:
    """Decides on candidates in the order of their time.

    ``offer`` holds back the best candidate of the running stretch of ``spacing_s`` and decides on it when the
    stretch is over. What is kept may later be displaced by something better, if the settings allow that, as long as
    ``take_out`` can take it out, and ``settle`` has not made it final.

    Args:
        settings: How it decides.
        seed: Of what the stream's sample draws.
        take_out: Asked before anything is displaced; what it cannot take out is final, and paid for.
    """

    def __init__(self, settings: PolicySettings, seed: int = 0, take_out: TakeOut = lambda frames: ()) -> None:
        self.settings = settings
        self._take_out = take_out
        self._accounts = {n: Account(b, settings.active_share) for n, b in settings.budgets().named().items()}
        shape = (len(settings.forms), len(self._accounts))
        self._sample = StreamSample(settings.sample_size, settings.memory_s, *shape, seed)
        self._hashes = KeptHashes(settings.duplicates_known, settings.duplicate_bits)
        self._rarity = Rarity(settings.rarity)
        self._held = Held()
        self._waiting: _Waiting | None = None
        self._prices = np.zeros(shape[1])
        self._since_priced = REPRICE_EVERY
        self._sampled_s = 0.0
        self._final_s = -np.inf

    def offer(self, candidate: Candidate) -> list[Decision]:
        """Takes the next candidate; what is thereby decided, of it and of earlier ones."""
        waiting = self._waiting
        over = waiting is not None and candidate.time_s >= waiting.opened_s + self.settings.spacing_s
        decided = self._close() if over else []
        worth = self._worth(candidate)
        self._rarity.add(candidate.classes)
        if candidate.time_s < self._final_s + self.settings.spacing_s:
            return [*decided, Decision(candidate, "too close", None, worth)]
        return decided + self._hold_back(candidate, worth)

    def keep(self, candidate: Candidate) -> list[Decision]:
        """Keeps a candidate that something outside asks for, whatever it is worth, as far as the budgets go.

        Returns:
            What gave way for it, least worth first, and last what became of the candidate.
        """
        offer = candidate.asked
        worth = self._worth(candidate) * self.settings.form_worth(offer.form)
        item = HeldItem(candidate, offer.form, worth, self._costs(offer))
        self._advance(candidate.time_s)
        while True:
            victims = self._making_room(item)
            if victims is None:
                return [Decision(candidate, "budget spent", None, worth)]
            displaced = self._displace(victims)
            if displaced is not None:
                self._take(item, final=True)
                return [*displaced, Decision(candidate, "triggered", offer.form, worth)]

    def finish(self) -> list[Decision]:
        """Ends a drive: decides on what is held back, gives up what is beyond the even pace; the rest is final."""
        decided = self._close()
        for name, account in self._accounts.items():
            while (least := self._held.least(name)) and account.ahead >= least.costs[name]:
                decided += self._displace([least]) or []
        for item in list(self._held):
            self._make_final(item)
        return decided

    def settle(self, frame: str) -> None:
        """Makes a kept frame final, such as one whose upload has begun."""
        item = self._held.named(frame)
        if item is not None:
            self._make_final(item)

    def withdraw(self, frame: str) -> None:
        """Takes back a frame that was kept here but found no room in the spool."""
        item = self._held.named(frame)
        if item is not None:
            self._give_up(item)

    def _worth(self, candidate: Candidate) -> float:
        return max(candidate.score, 0.0) * self._rarity.boost(candidate.classes)

    def _hold_back(self, candidate: Candidate, worth: float) -> list[Decision]:
        waiting = self._waiting
        if waiting is not None and worth <= waiting.worth:
            return [Decision(candidate, "too close", None, worth)]
        self._waiting = _Waiting(candidate, worth, candidate.time_s if waiting is None else waiting.opened_s)
        if waiting is not None:
            return [Decision(waiting.candidate, "too close", None, waiting.worth)]
        return self._close() if self.settings.spacing_s == 0 else []

    def _close(self) -> list[Decision]:
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else self._decide(waiting)

    def _decide(self, waiting: _Waiting) -> list[Decision]:
        candidate = waiting.candidate
        self._advance(candidate.time_s)
        item, gain = self._best_form(waiting)
        while True:
            reason, victims = self._choice(item, gain)
            if reason != "kept":
                return [Decision(candidate, reason, None, waiting.worth)]
            displaced = self._displace(victims)
            if displaced is not None:
                self._take(item, final=not self.settings.recall)
                return [*displaced, Decision(candidate, "kept", item.form, item.worth)]

    def _choice(self, item: HeldItem, gain: float) -> tuple[Reason, list[HeldItem]]:
        """Whether an item is kept, beside all that is final, and what must give way for it."""
        candidate, spacing_s = item.candidate, self.settings.spacing_s
        if candidate.time_s < self._final_s + spacing_s:
            return "too close", []
        if self._hashes.has_like(candidate.image_hash):
            return "duplicate", []
        rivals = self._held.rivals(candidate, spacing_s, self.settings.duplicate_bits)
        if rivals and sum(rival.worth for rival in rivals) >= item.worth:
            close = any(abs(rival.candidate.time_s - candidate.time_s) < spacing_s for rival in rivals)
            return "too close" if close else "duplicate", []
        return self._revocable(item, rivals) if self.settings.recall else self._final(item, gain)

    def _best_form(self, waiting: _Waiting) -> tuple[HeldItem, float]:
        """The form that gains most at today's prices, and its gain; the sample takes notice of all forms."""
        offers = self._offers(waiting.candidate)
        worths = np.array([waiting.worth * self.settings.form_worth(form) for form in self.settings.forms])
        costs = np.array([list(self._costs(offer).values()) for offer in offers]).reshape(len(offers), -1)
        self._reprice()
        which, gain = best_form(worths[None], costs[None], self._prices)
        gap_s = waiting.opened_s - self._sampled_s if self._sample.seen else 0.0
        self._sample.add(worths, costs, gap_s)
        self._sampled_s = waiting.opened_s
        offer = offers[int(which[0])]
        return HeldItem(waiting.candidate, offer.form, float(worths[which[0]]), self._costs(offer)), float(gain[0])

    def _final(self, item: HeldItem, gain: float) -> tuple[Reason, list[HeldItem]]:
        """Whether an item is kept for good: it must be worth its price, and the budgets must have it."""
        if gain <= 0 and self._accounts:
            return "below the price", []
        spare = self._spare(item)
        fits = all(account.fits(item.costs[name], spare=spare[name]) for name, account in self._accounts.items())
        return "kept" if fits else "budget spent", []

    def _revocable(self, item: HeldItem, rivals: list[HeldItem]) -> tuple[Reason, list[HeldItem]]:
        """Whether an item is kept until something better comes, and what must give way for it."""
        victims = list(rivals)
        while (short := self._short(item, victims)) is not None:
            least = self._held.least(short, without=victims)
            if least is None:
                return "budget spent", []
            victims.append(least)
            if sum(victim.worth for victim in victims) >= item.worth:
                return "below the price", []
        return "kept", victims

    def _making_room(self, item: HeldItem) -> list[HeldItem] | None:
        """What must give way for an item that is asked for; None where all that is held would be too little."""
        victims: list[HeldItem] = []
        while (short := self._short(item, victims, asked=True)) is not None:
            least = self._held.least(short, without=victims)
            if least is None:
                return None
            victims.append(least)
        return victims

    def _short(self, item: HeldItem, victims: list[HeldItem], asked: bool = False) -> str | None:
        """A budget without room for an item in the place of the victims; None where there is none."""
        spare = self._spare(item)
        for name, account in self._accounts.items():
            cost, returned = item.costs[name], sum(victim.costs[name] for victim in victims)
            if not (account.fits(cost, returned) if asked else account.has_room(cost, returned, spare[name])):
                return name
        return None

    def _spare(self, item: HeldItem) -> dict[str, float]:
        """What is left of the budgets for frames that something outside may ask for, if they are like this one."""
        costs = self._costs(item.candidate.asked)
        return {name: self.settings.asked_frames * cost for name, cost in costs.items()}

    def _offers(self, candidate: Candidate) -> list[Offer]:
        by_form = {offer.form: offer for offer in candidate.offers}
        return [by_form.get(form, candidate.offers[0]) for form in self.settings.forms]

    def _costs(self, offer: Offer) -> dict[str, float]:
        costs = {"frames": 1.0, "bytes": float(offer.bytes), "regions": float(offer.regions)}
        return {name: costs[name] for name in self._accounts}

    def _advance(self, time_s: float) -> None:
        for account in self._accounts.values():
            account.advance(time_s)
        longest = max((account.budget.period_s for account in self._accounts.values()), default=0.0)
        for item in self._held.older_than(time_s - longest):
            self._make_final(item)

    def _take(self, item: HeldItem, final: bool) -> None:
        for name, account in self._accounts.items():
            account.spend(item.costs[name])
        self._held.add(item)
        if final:
            self._make_final(item)

    def _make_final(self, item: HeldItem) -> None:
        self._held.remove(item)
        self._hashes.add(item.candidate.image_hash)
        self._final_s = max(self._final_s, item.candidate.time_s)

    def _displace(self, items: list[HeldItem]) -> list[Decision] | None:
        """Gives items up, all or none: None where some can no longer be taken out, and so are final from now on."""
        staying = self._take_out([item.candidate.frame for item in items]) if items else ()
        for item in items:
            if item.candidate.frame in staying:
                self._make_final(item)
        return None if staying else [self._give_up(item) for item in items]

    def _give_up(self, item: HeldItem) -> Decision:
        for name, account in self._accounts.items():
            account.refund(item.costs[name], item.candidate.time_s)
        self._held.remove(item)
        return Decision(item.candidate, "displaced", None, item.worth / self.settings.form_worth(item.form))

    def _reprice(self) -> None:
        self._since_priced += 1
        seen = self._sample.seen
        if seen and self._accounts and (seen < REPRICE_EVERY or self._since_priced >= REPRICE_EVERY):
            self._since_priced = 0
            self._prices = prices(self._sample.worth, self._sample.costs, self._targets())

    def _targets(self) -> NDArray[np.float64]:
        """What a candidate may spend on average, by budget."""
        rate_hz = self._sample.rate_hz or 1.0
        return np.array([account.target_per_s() / rate_hz for account in self._accounts.values()])

    def to_dict(self) -> dict[str, Any]:
        """What is remembered over a restart, as plain data; what is held is final then."""
        held = [f"{item.candidate.image_hash:016x}" for item in self._held]
        return {
            "accounts": {name: account.to_dict() for name, account in self._accounts.items()},
            "sample": self._sample.to_dict(),
            "hashes": self._hashes.to_list() + held,
            "rarity": self._rarity.to_dict(),
        }

    def restore(self, plain: dict[str, Any], same_stream: bool, time_s: float = 0.0, away_s: float = 0.0) -> None:
        """Takes what ``to_dict`` gave.

        Args:
            plain: It.
            same_stream: Whether scores mean the same as then; of another model or strategy the sample is of no use.
            time_s: What the new drive's clock shows.
            away_s: How long ago it was, 0 where nobody knows.

        Raises:
            KeyError: Something is missing.
            ValueError: Something cannot be used.
            TypeError: Something has another type.
        """
        self._hashes.restore(plain["hashes"])
        self._rarity.restore(plain["rarity"])
        for name, account in self._accounts.items():
            if name in plain["accounts"]:
                account.restore(plain["accounts"][name], time_s, away_s)
        if same_stream:
            self._sample.restore(plain["sample"])
