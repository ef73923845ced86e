"""What the queue holds, how old it is, and how fast it moves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, distinct, func, select

from edgeseg.queue.database import Database
from edgeseg.queue.states import count_states, release_expired
from edgeseg.queue.tables import STATES, Event, Item, Quarantined

WINDOW = timedelta(days=7)
"""Over which the throughput is counted."""


@dataclass(frozen=True)
class QueueStats:
    """Counts, ages and throughput of a queue.

    Attributes:
        states: Items in each state.
        vehicles: Items of each vehicle.
        oldest: When the item that waits longest for its selection arrived, ISO 8601; None where none waits.
        age_hours: For each state that items wait in, how long ago the longest-waiting one arrived.
        arrived_per_day: Items that arrived a day, over the last seven days.
        moved_per_day: Items that reached each state a day, over the last seven days.
        quarantined: Objects that failed a check.
        leases: Items that are out for labeling, by whom.
    """

    states: dict[str, int]
    vehicles: dict[str, int]
    oldest: str | None
    age_hours: dict[str, float | None]
    arrived_per_day: float
    moved_per_day: dict[str, float]
    quarantined: int
    leases: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def queue_stats(database: Database) -> QueueStats:
    """Counts what the queue holds; expired leases are taken back first."""
    with database.write() as connection:
        release_expired(connection)
    now = datetime.now(timezone.utc)
    with database.read() as connection:
        since = {state: _oldest(connection, state) for state in STATES if state != "rejected"}
        return QueueStats(
            states=count_states(connection),
            vehicles=_grouped(connection, Item.vehicle),
            oldest=since["flagged"].isoformat() if since["flagged"] else None,
            age_hours={state: _hours(now - at) if at else None for state, at in since.items()},
            arrived_per_day=_per_day(connection.scalar(select(func.count()).where(Item.arrived_at > now - WINDOW))),
            moved_per_day=_moved(connection, now - WINDOW),
            quarantined=connection.scalar(select(func.count()).select_from(Quarantined)) or 0,
            leases=_grouped(connection, Item.lease_owner, Item.state == "exported"),
        )


def _oldest(connection: Connection, state: str) -> datetime | None:
    return connection.scalar(select(func.min(Item.arrived_at)).where(Item.state == state))


def _grouped(connection: Connection, column: Any, *where: Any) -> dict[str, int]:
    chosen = select(column.label("name"), func.count().label("items")).where(*where).group_by(column).order_by(column)
    return {row.name: row.items for row in connection.execute(chosen) if row.name is not None}


def _moved(connection: Connection, since: datetime) -> dict[str, float]:
    counted = select(Event.after, func.count(distinct(Event.item)).label("items")).where(
        Event.at > since, Event.before != Event.after
    )
    rows = connection.execute(counted.group_by(Event.after))
    return {row.after: _per_day(row.items) for row in rows}


def _per_day(count: int | None) -> float:
    return round((count or 0) / (WINDOW / timedelta(days=1)), 3)


def _hours(age: timedelta) -> float:
    return round(age / timedelta(hours=1), 2)
