"""Which frames and regions are labeled next, across the fleet and under a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from edgeseg.errors import ConfigError
from edgeseg.queue.candidates import Pool, read_centers, read_pool, read_sample
from edgeseg.queue.choices import REGIONS_PER_FRAME, keep_choices
from edgeseg.queue.classes import class_names
from edgeseg.queue.database import Database
from edgeseg.queue.diversity import FarthestFirst
from edgeseg.queue.packing import unpack_regions
from edgeseg.queue.states import move, release_expired
from edgeseg.queue.value import UNKNOWN_RARITY, ranks, rarity, region_worths


@dataclass(frozen=True)
class SelectSettings:
    """How a selection is made. Exactly one budget is given.

    Attributes:
        budget_regions, budget_clicks, budget_frames: What may be labeled.
        regions_per_frame: Regions of one frame that are asked for, at most.
        per_vehicle, per_place, per_drive: Frames of one selection from each, at most; None: any number.
        diversity: 0 goes by value alone, 1 by distance alone; see ``FarthestFirst``.
        batch: Name of the selection; by default the time in UTC.
    """

    budget_regions: int | None = None
    budget_clicks: int | None = None
    budget_frames: int | None = None
    regions_per_frame: int = REGIONS_PER_FRAME
    per_vehicle: int | None = None
    per_place: int | None = None
    per_drive: int | None = None
    diversity: float = 0.5
    batch: str | None = None

    def __post_init__(self) -> None:
        budgets = {"budget_regions": self.budget_regions, "budget_clicks": self.budget_clicks}
        budgets["budget_frames"] = self.budget_frames
        given = [name for name, value in budgets.items() if value is not None]
        if len(given) != 1:
            told = f"got {' and '.join(given)}" if given else "got none"
            raise ConfigError(f"give one of --budget-regions, --budget-clicks and --budget-frames, {told}")
        caps = {"per_vehicle": self.per_vehicle, "per_place": self.per_place, "per_drive": self.per_drive}
        for name, value in {**budgets, **caps, "regions_per_frame": self.regions_per_frame}.items():
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
        if not 0 <= self.diversity <= 1:
            raise ConfigError(f"diversity must be within 0 to 1, got {self.diversity}")
        if self.batch is not None and not 1 <= len(self.batch) <= 64:
            raise ConfigError(f"batch must be a name of 1 to 64 characters, got {self.batch!r}")


@dataclass(frozen=True)
class Selected:
    """One choice.

    Attributes:
        index: Position in the pool.
        region_indexes: Regions asked for, positions in the record; none where the whole frame is.
        clicks: What labeling them costs.
        reason: Why, for people.
    """

    index: int
    region_indexes: tuple[int, ...]
    clicks: int
    reason: dict[str, Any]


@dataclass(frozen=True)
class SelectReport:
    """What a selection took: frames, regions, clicks, and among how many candidates; and its name."""

    batch: str
    frames: int
    regions: int
    clicks: int
    candidates: int

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def select_items(settings: SelectSettings, database: Database, actor: str = "select") -> SelectReport:
    """Chooses flagged items and the regions to ask for, and stores why.

    Args:
        settings: Budget and bounds.
        database: The queue.
        actor: Who chose, for the history.

    Raises:
        QueueError: The database cannot be used.
    """
    batch = settings.batch or f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}"
    with database.write() as connection:
        release_expired(connection)
    with database.read() as connection:
        pool = read_pool(connection)
        known = known_of(connection, pool)
    chosen = choose(settings, pool, *known)
    with database.write() as connection:
        taken = _store(connection, pool, chosen, batch, actor)
    regions, clicks = sum(len(c.region_indexes) for c in taken), sum(c.clicks for c in taken)
    return SelectReport(batch, len(taken), regions, clicks, len(pool))


def known_of(connection: Connection, pool: Pool) -> tuple[NDArray[np.float64], NDArray[np.int64], dict[int, str]]:
    """What ``choose`` must know beside the pool: rarity (in an empty queue the pool tells it), centers, names."""
    names = class_names(connection)
    rarity_of = rarity(read_sample(connection) or pool.regions, max(names, default=0) + 1)
    return rarity_of, read_centers(connection), names


def choose(
    settings: SelectSettings,
    pool: Pool,
    rarity_of: NDArray[np.float64],
    centers: NDArray[np.int64],
    names: dict[int, str],
) -> list[Selected]:
    """The selection itself, without a database.

    Args:
        settings: Budget and bounds.
        pool: Candidates.
        rarity_of: Rarity of each class; see ``value.rarity``.
        centers: Signatures that are covered already.
        names: Names of the classes by number, for the reasons.

    Returns:
        Choices in the order in which they were made.
    """
    return list(_Choosing(settings, pool, rarity_of, centers, names).run()) if len(pool) else []


class _Choosing:
    def __init__(
        self,
        settings: SelectSettings,
        pool: Pool,
        rarity_of: NDArray[np.float64],
        centers: NDArray[np.int64],
        names: dict[int, str],
    ) -> None:
        self.settings, self.pool, self.rarity_of, self.names = settings, pool, rarity_of, names
        self.worths = region_worths(pool.regions, pool.strategies, rarity_of)
        self.score_ranks = ranks(pool.scores, pool.strategies)
        self.values = self._values()
        self.order = FarthestFirst(pool.signatures, self.values, settings.diversity, centers)
        self.left = settings.budget_regions or settings.budget_clicks or settings.budget_frames or 0
        self.open = (self.worths.counts() > 0) | (settings.budget_frames is not None)
        self.groups = [
            (cap, names, Counter[str | None]())
            for cap, names in (
                (settings.per_vehicle, pool.vehicles),
                (settings.per_place, pool.places),
                (settings.per_drive, pool.drives),
            )
            if cap is not None
        ]

    def run(self) -> Iterator[Selected]:
        while self.left > 0 and self.open.any():
            # A person's priority goes before whatever was computed, which is at most 1.
            index = int(np.where(self.open, self.order.gains() + 2 * self.pool.priorities, -np.inf).argmax())
            self.open[index] = False
            regions = self._affordable(index)
            if self._is_capped(index) or regions is None:
                continue
            yield self._take(index, regions)

    def _values(self) -> NDArray[np.float64]:
        means = self.worths.best_means(self.settings.regions_per_frame)
        return np.where(np.isnan(means), UNKNOWN_RARITY * self.score_ranks, means)

    def _affordable(self, index: int) -> tuple[int, ...] | None:
        """The frame's most valuable regions that the budget still allows; None where it allows none."""
        best = np.argsort(-self.worths.of(index), kind="stable")[: self.settings.regions_per_frame]
        if self.settings.budget_frames is not None:
            return tuple(best.tolist())
        costs = np.ones(len(best), np.int64)
        if self.settings.budget_clicks is not None:
            costs = unpack_regions(self.pool.regions[index])["clicks"][best].astype(np.int64)
        return tuple(best[np.cumsum(costs) <= self.left].tolist()) or None

    def _is_capped(self, index: int) -> bool:
        return any((name := names[index]) is not None and taken[name] >= cap for cap, names, taken in self.groups)

    def _take(self, index: int, regions: tuple[int, ...]) -> Selected:
        distance = self.order.choose(index)
        for _, names, taken in self.groups:
            taken[names[index]] += 1
        table = unpack_regions(self.pool.regions[index])[list(regions)]
        clicks = int(table["clicks"].sum())
        self.left -= self._cost(len(regions), clicks)
        return Selected(index, regions, clicks, self._reason(index, distance, table["class"]))

    def _cost(self, regions: int, clicks: int) -> int:
        if self.settings.budget_frames is not None:
            return 1
        return clicks if self.settings.budget_clicks is not None else regions

    def _reason(self, index: int, distance: float, classes: NDArray[np.int16]) -> dict[str, Any]:
        seen = classes[classes >= 0]
        rarest = int(seen[self.rarity_of[seen].argmax()]) if len(seen) else -1
        return {
            "value": round(float(self.values[index]), 4),
            "score_rank": round(float(self.score_ranks[index]), 4),
            "rarest_class": self.names.get(rarest),
            "rarity": round(float(self.rarity_of[rarest]), 4),
            "distance": round(distance, 4),
            "priority": int(self.pool.priorities[index]),
            "candidates": len(self.pool),
        }


def _store(connection: Connection, pool: Pool, chosen: list[Selected], batch: str, actor: str) -> list[Selected]:
    """Keeps those that no other process took meanwhile, which it gives back."""
    by_number = {int(pool.numbers[choice.index]): choice for choice in chosen}
    moved = set(move(connection, by_number, "flagged", "selected", actor, f"batch {batch}"))
    taken = [(number, choice) for number, choice in by_number.items() if number in moved]
    rows = [
        {
            "item": number,
            "batch": batch,
            "position": position,
            "region_indexes": list(choice.region_indexes),
            "clicks": choice.clicks,
            "reason": choice.reason,
        }
        for position, (number, choice) in enumerate(taken)
    ]
    keep_choices(connection, rows)
    return [choice for _, choice in taken]
