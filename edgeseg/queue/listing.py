"""Items as people look at them: page by page, with the reason for which they were chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, select

from edgeseg.errors import ConfigError
from edgeseg.queue.classes import class_names
from edgeseg.queue.database import Database
from edgeseg.queue.sql import Unsought
from edgeseg.queue.tables import STATES, Choice, ClassName, Item, Quarantined

MOST = 10_000


@dataclass(frozen=True)
class ListSettings:
    """Which items are listed.

    Attributes:
        state: Only those in this state.
        vehicle: Only this vehicle's.
        class_name: Only those whose most uncertain region is of this class.
        batch: Only those of this selection.
        min_score: Only those with at least this score.
        order: ``newest`` first, ``value`` (highest priority, then score, first), ``score`` highest first, or
            ``chosen``, in the order of their selection.
        limit, offset: Which page.
    """

    state: str | None = None
    vehicle: str | None = None
    class_name: str | None = None
    batch: str | None = None
    min_score: float | None = None
    order: Literal["newest", "value", "score", "chosen"] = "newest"
    limit: int = 50
    offset: int = 0

    def __post_init__(self) -> None:
        if self.state is not None and self.state not in STATES:
            raise ConfigError(f"state {self.state!r} is unknown; states: {', '.join(STATES)}")
        if not 1 <= self.limit <= MOST or self.offset < 0:
            raise ConfigError(
                f"limit must be within 1 to {MOST} and offset not negative, got {self.limit}, {self.offset}"
            )


def list_items(settings: ListSettings, database: Database) -> list[dict[str, Any]]:
    """One page of items.

    Returns:
        For each: id, state, vehicle, drive, place, captured_at, arrived_at, source, frame, strategy, score, unit,
        class (of its most uncertain region), clicks, priority, lease_owner, lease_until, batch, regions (those asked
        for, positions in the record; None where nothing was selected) and reason.
    """
    with database.read() as connection:
        names = class_names(connection)
        rows = connection.execute(listed(settings).order_by(*_order(settings)).offset(settings.offset)).all()
    return [plain_item(row, names) for row in rows]


def list_quarantine(database: Database, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
    """Objects that failed a check, latest first: bucket, key, reason, first_seen."""
    table = Quarantined.__table__
    chosen = select(table).order_by(table.c.first_seen.desc(), table.c.key).limit(limit).offset(offset)
    with database.read() as connection:
        rows = connection.execute(chosen).all()
    return [{**row._mapping, "first_seen": row.first_seen.isoformat()} for row in rows]


def listed(settings: ListSettings) -> Select[Any]:
    """A query for the items that the settings name, at most ``limit`` of them, without an order."""
    table = Item.__table__
    columns = [column for column in table.c if column.name not in ("regions", "signature")]
    chosen = select(*columns, Choice.batch, Choice.region_indexes, Choice.reason)
    joined = chosen.outerjoin(Choice, Choice.item == Item.number).where(*_conditions(settings))
    return joined.limit(settings.limit)


def _conditions(settings: ListSettings) -> list[ColumnElement[bool]]:
    # Most items are in one state: found by it, they would have to be sorted by value.
    state = Unsought(Item.state) if settings.order == "value" else Item.state
    wanted: list[tuple[Any, Any]] = [
        (settings.state, state == settings.state),
        (settings.vehicle, Item.vehicle == settings.vehicle),
        (settings.batch, Choice.batch == settings.batch),
        (settings.min_score, Item.score >= settings.min_score if settings.min_score is not None else None),
    ]
    if settings.class_name is not None:
        number = select(ClassName.number).where(ClassName.name == settings.class_name).scalar_subquery()
        wanted.append((settings.class_name, Item.focus == number))
    return [condition for value, condition in wanted if value is not None]


def _order(settings: ListSettings) -> list[Any]:
    if settings.order == "chosen":
        return [Choice.batch.desc(), Choice.position]
    first: dict[str, list[Any]] = {"newest": [Item.arrived_at], "value": [Item.priority, Item.score]}
    return [column.desc() for column in (*first.get(settings.order, [Item.score]), Item.number)]


def plain_item(row: Any, names: dict[int, str]) -> dict[str, Any]:
    """A row of ``listed`` as ``list_items`` gives it.

    Args:
        row: The row.
        names: Names of the classes by number.
    """
    same = ("state", "vehicle", "drive", "place", "source", "strategy", "score", "unit", "clicks", "priority")
    moments = {name: getattr(row, name) for name in ("captured_at", "arrived_at", "lease_until")}
    return {
        "id": row.item_id,
        **{name: getattr(row, name) for name in same},
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "frame": row.frame_id,
        "class": names.get(row.focus),
        "lease_owner": row.lease_owner,
        "batch": row.batch,
        "regions": row.region_indexes,
        "reason": row.reason,
    }
