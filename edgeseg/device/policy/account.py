"""What was spent of a budget: never more than the whole of it in any period, and at an even pace in the long run."""

from __future__ import annotations

from collections import deque
from typing import Any

from edgeseg.device.policy.budgets import Budget

STEPS = 64
"""A period is counted in so many steps; the oldest counts whole until all of it is past."""
CATCH_UP = 0.01
"""What was left unspent, or spent beyond the lead, is made up for within this share of the budget, but never within
less than ``CATCH_UP_COSTS`` typical costs."""
CATCH_UP_COSTS = 3.0
RESERVE, RESERVE_COSTS = 0.05, 4.0
"""What can be taken back may be spent ahead by this share of the budget, or by so many costs."""
LEAD_COSTS = 4.0
"""What cannot be taken back is spent ahead by so many typical costs, on average."""
STRONGEST = 3.0
"""The pace leaves the even one by no more than this factor."""


class Account:
    """One budget.

    Args:
        budget: How much in which time.
        active_share: Share of the time in which frames come.

    Attributes:
        left: What may still be spent at this moment.
    """

    def __init__(self, budget: Budget, active_share: float) -> None:
        self.budget = budget
        self._pace = budget.amount / (budget.period_s * active_share)
        self._step_s = budget.period_s / STEPS
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0
        self._ahead = 0.0
        self._typical = 0.0
        self._now: float | None = None

    @property
    def left(self) -> float:
        """What may be spent now."""
        return self.budget.amount - self._sum

    @property
    def ahead(self) -> float:
        """What was spent ahead of the even pace; below 0 what was left."""
        return self._ahead

    def fits(self, cost: float, returned: float = 0.0, spare: float = 0.0) -> bool:
        """Whether a cost fits the whole budget, whatever the pace.

        Args:
            cost: Of what is to be kept.
            returned: Of what is to be given up for it.
            spare: What is to be left beside it; half of the budget at most.
        """
        return cost - returned + min(spare, self.budget.amount / 2) <= self.left

    def has_room(self, cost: float, returned: float, spare: float) -> bool:
        """Whether a cost that can be taken back ``fits``, and the even pace with its reserve has it too."""
        reserve = max(RESERVE * self.budget.amount, RESERVE_COSTS * cost)
        return self.fits(cost, returned, spare) and self._ahead + cost - returned <= reserve

    def advance(self, time_s: float) -> None:
        """Lets time go by; a clock that goes backward stands still."""
        if self._now is not None and time_s > self._now:
            # Not more than a period's worth either way: what is long past does not count.
            self._ahead = max(-self.budget.amount, self._ahead - self._pace * (time_s - self._now))
        self._now = time_s if self._now is None else max(self._now, time_s)
        while self._spent and self._spent[0][0] + self._step_s + self.budget.period_s <= self._now:
            self._sum -= self._spent.popleft()[1]

    def spend(self, amount: float) -> None:
        """Notes what was spent now."""
        assert self._now is not None
        if self._spent and self._now < self._spent[-1][0] + self._step_s:
            began, before = self._spent.pop()
            self._spent.append((began, before + amount))
        else:
            self._spent.append((self._now, amount))
        self._sum += amount
        self._ahead += amount
        self._typical = amount if not self._typical else 0.9 * self._typical + 0.1 * amount

    def refund(self, amount: float, time_s: float) -> None:
        """Takes back what was spent at a time."""
        for place in range(len(self._spent) - 1, -1, -1):
            began, before = self._spent[place]
            if began <= time_s:
                self._spent[place] = (began, before - amount)
                self._sum -= amount
                self._ahead -= amount
                return

    def target_per_s(self) -> float:
        """What to spend a second where choices are final: a pace that tends to ``LEAD_COSTS`` ahead of the even one.

        Nobody knows when a drive ends. What is left then is lost, and costs far more than the little that the first,
        less well chosen frames are worth less than later ones.
        """
        scale = max(self.budget.amount * CATCH_UP, CATCH_UP_COSTS * self._typical)
        factor = 1 - (self._ahead - LEAD_COSTS * self._typical) / scale
        return self._pace * min(STRONGEST, max(1 / STRONGEST, factor))

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; times count back from now."""
        now = self._now or 0.0
        spent = [[now - began, amount] for began, amount in self._spent]
        return {"spent": spent, "ahead": self._ahead, "typical": self._typical}

    def restore(self, plain: dict[str, Any], time_s: float, away_s: float) -> None:
        """Takes what ``to_dict`` gave.

        Args:
            plain: It.
            time_s: What the clock of the new drive shows.
            away_s: How long ago ``to_dict`` was called, 0 where nobody knows.
        """
        self._now = time_s
        self._spent = deque((time_s - away_s - float(ago), float(amount)) for ago, amount in plain["spent"])
        self._sum = sum(amount for _, amount in self._spent)
        self._ahead = max(-self.budget.amount, min(self.budget.amount, float(plain["ahead"])))
        self._typical = float(plain.get("typical", 0.0))
        self.advance(time_s)
