"""A recorded drive under a policy: what it would have kept, and its worth beside that of the best and of chance."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.policy.budgets import Budget
from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.hindsight import Drive
from edgeseg.device.policy.policy import Decision, Policy
from edgeseg.device.policy.rarity import Rarity
from edgeseg.device.policy.settings import PolicySettings
from edgeseg.errors import ConfigError

RANDOM_DRAWS = 20


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found.

    Attributes:
        frames: Of the drive.
        seconds: Its length.
        kept: Frames that the policy kept.
        reasons: Frames by what became of them.
        forms: Kept frames by form.
        spent, allowed: Of each budget, on this drive; ``allowed`` is the even pace over its length.
        worth: Of what was kept.
        best: Of the best choice in hindsight under the same budgets, spacing and duplicates.
        random: Of blind choices, on average.
        regret: (best - worth) / (best - random): 0 as good as hindsight, 1 as good as chance; None where all are alike.
    """

    frames: int
    seconds: float
    kept: int
    reasons: dict[str, int]
    forms: dict[str, int]
    spent: dict[str, float]
    allowed: dict[str, float]
    worth: float
    best: float
    random: float
    regret: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Replay:
    """A report, and what it rests on.

    Attributes:
        report: The figures.
        decisions: The last on each frame.
        best_frames: Positions of the frames that hindsight keeps.
        worth: (N,) float64, of each frame in full.
    """

    report: ReplayReport
    decisions: tuple[Decision, ...]
    best_frames: frozenset[int]
    worth: NDArray[np.float64]


def replay(candidates: Sequence[Candidate], settings: PolicySettings, policy: Policy | None = None) -> Replay:
    """Runs a drive under a policy.

    Args:
        candidates: The drive's frames in their order.
        settings: The policy.
        policy: One that has seen earlier drives; None for one that knows nothing.

    Raises:
        ConfigError: The policy has no budget, so that there is nothing to choose.
    """
    if not settings.budgets().named():
        raise ConfigError("a policy without a budget keeps every frame; give --budget-frames, -bytes or -regions")
    policy = policy or Policy(settings)
    decisions = [decision for candidate in candidates for decision in policy.offer(candidate)] + policy.finish()
    worth = _worth(candidates, settings)
    final = {decision.candidate.frame: decision for decision in decisions}
    kept = [decision for decision in final.values() if decision.kept]
    spent = _spent(kept)
    seconds = _seconds(candidates)
    allowed = {n: _allowed(b, settings, seconds) for n, b in settings.budgets().named().items()}
    # Whoever spent ahead of the pace is held against a hindsight that may spend as much.
    drive = Drive(candidates, worth, settings, {name: max(allowed[name], spent[name]) for name in allowed})
    choice = drive.best()
    best = drive.total(choice)
    chance = statistics.mean(drive.total(drive.random(seed)) for seed in range(RANDOM_DRAWS))
    total = sum(decision.worth for decision in kept)
    report = ReplayReport(
        frames=len(candidates),
        seconds=seconds,
        kept=len(kept),
        reasons=dict(Counter(decision.reason for decision in final.values())),
        forms=dict(Counter(decision.form for decision in kept if decision.form)),
        spent={name: spent[name] for name in allowed},
        allowed=allowed,
        worth=total,
        best=best,
        random=chance,
        regret=(best - total) / (best - chance) if best > chance else None,
    )
    return Replay(report, tuple(final.values()), frozenset(choice), worth)


def _worth(candidates: Sequence[Candidate], settings: PolicySettings) -> NDArray[np.float64]:
    rarity, worth = Rarity(settings.rarity), []
    for candidate in candidates:
        worth.append(max(candidate.score, 0.0) * rarity.boost(candidate.classes))
        rarity.add(candidate.classes)
    return np.array(worth)


def _spent(kept: Sequence[Decision]) -> dict[str, float]:
    offers = [next(o for o in d.candidate.offers if o.form == d.form) for d in kept]
    return {
        "frames": float(len(kept)),
        "bytes": float(sum(offer.bytes for offer in offers)),
        "regions": float(sum(offer.regions for offer in offers)),
    }


def _seconds(candidates: Sequence[Candidate]) -> float:
    """Length of the drive, its last frame's own time included."""
    last = candidates[-1].time_s - candidates[0].time_s
    return last * len(candidates) / (len(candidates) - 1) if len(candidates) > 1 else 1.0


def _allowed(budget: Budget, settings: PolicySettings, seconds: float) -> float:
    even = budget.amount * seconds / (budget.period_s * settings.active_share)
    return min(even, budget.amount * max(1.0, seconds / budget.period_s))
