"""Which items a selection looks at: of each kind the most uncertain, so that memory does not grow with the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select

from edgeseg.queue.tables import Item, State

POOL = 10_000
"""Items that are compared with each other."""
CENTERS = 2_000
"""Items decided on before, the latest ones, from which new choices keep their distance."""
SAMPLE = 4_000
"""Items from which the fleet's share of each class is estimated."""
DECIDED: tuple[State, ...] = ("selected", "exported", "labeled", "merged")


@dataclass(frozen=True)
class Pool:
    """Candidates, N of them, in order of their numbers.

    Attributes:
        numbers: (N,) int64.
        item_ids: N ids.
        vehicles, drives, places: N names; a drive's begins with its vehicle; a place is None where unknown.
        strategies: (N,) number of each one's strategy.
        scores: (N,) float64.
        signatures: (N,) int64.
        priorities: (N,) int64.
        regions: N packed lists of regions.
    """

    numbers: NDArray[np.int64]
    item_ids: Sequence[str]
    vehicles: Sequence[str]
    drives: Sequence[str]
    places: Sequence[str | None]
    strategies: NDArray[np.intp]
    scores: NDArray[np.float64]
    signatures: NDArray[np.int64]
    priorities: NDArray[np.int64]
    regions: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.numbers)


class PoolRow(NamedTuple):
    """What the pool needs of an item; ``tables.Item`` says what each is."""

    number: int
    item_id: str
    vehicle: str
    drive: str
    place: str | None
    strategy: str
    score: float
    signature: int
    priority: int
    regions: bytes


def read_pool(connection: Connection, size: int = POOL) -> Pool:
    """Flagged items: all with a priority, and of each strategy and class the most uncertain ones.

    Each pair of strategy and class gets an equal share of the pool, so that rare classes and other
    units are in it; a queue with fewer flagged items than that is in it as a whole.
    """
    flagged = _columns().where(Item.state == "flagged")
    rows = {row.number: row for row in connection.execute(flagged.where(Item.priority > 0).limit(size))}
    if _count_to(connection, size) < size:
        rows |= {row.number: row for row in connection.execute(flagged)}
    else:
        strata = _strata(connection)
        for strategy, focus in strata:
            inside = flagged.where(
                Item.strategy == strategy, Item.focus == focus if focus is not None else Item.focus.is_(None)
            )
            best = inside.order_by(Item.score.desc()).limit(max(1, size // len(strata)))
            rows |= {row.number: row for row in connection.execute(best)}
    return pool_of([rows[number] for number in sorted(rows)])


def read_centers(connection: Connection) -> NDArray[np.int64]:
    """Signatures (M,) int64 of the latest items that were decided on."""
    latest = select(Item.signature).where(Item.state.in_(DECIDED)).order_by(Item.number.desc()).limit(CENTERS)
    return np.array(list(connection.scalars(latest)), np.int64)


def read_sample(connection: Connection, size: int = SAMPLE) -> list[bytes]:
    """Packed regions of some items, drawn evenly by number, the same ones as long as nothing arrives."""
    lowest, highest = connection.execute(select(func.min(Item.number), func.max(Item.number))).one()
    if lowest is None:
        return []
    numbers = np.unique(np.linspace(lowest, highest, size).astype(np.int64)).tolist()
    found: list[bytes] = []
    for begin in range(0, len(numbers), 500):
        part = select(Item.regions).where(Item.number.in_(numbers[begin : begin + 500]))
        found += connection.scalars(part).all()
    return found


def _columns() -> Any:
    return select(*(Item.__table__.c[name] for name in PoolRow._fields))


def _count_to(connection: Connection, most: int) -> int:
    """Number of flagged items, but no more than ``most``: the others are not counted."""
    some = select(Item.number).where(Item.state == "flagged").limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def _strata(connection: Connection) -> list[tuple[str, int | None]]:
    rows = connection.execute(select(Item.strategy, Item.focus).where(Item.state == "flagged").distinct())
    return [(row.strategy, row.focus) for row in rows]


def pool_of(rows: Sequence[Row[Any] | PoolRow]) -> Pool:
    """Candidates from rows in order of their numbers."""
    strategies = sorted({row.strategy for row in rows})
    return Pool(
        numbers=np.array([row.number for row in rows], np.int64),
        item_ids=[row.item_id for row in rows],
        vehicles=[row.vehicle for row in rows],
        drives=[f"{row.vehicle}/{row.drive}" for row in rows],
        places=[row.place for row in rows],
        strategies=np.searchsorted(strategies, [row.strategy for row in rows]).astype(np.intp),
        scores=np.array([row.score for row in rows], np.float64),
        signatures=np.array([row.signature for row in rows], np.int64),
        priorities=np.array([row.priority for row in rows], np.int64),
        regions=[row.regions for row in rows],
    )
