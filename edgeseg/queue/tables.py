"""The queue's tables; ``migrations`` makes them, and a test holds the two against each other."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

State = Literal["flagged", "selected", "exported", "labeled", "merged", "rejected"]
STATES: tuple[State, ...] = ("flagged", "selected", "exported", "labeled", "merged", "rejected")

KEY_LENGTH, REASON_LENGTH = 500, 1000
"""Characters of a quarantined object's key and reason that are kept; PostgreSQL indexes no more than 2704 bytes."""

# SQLite numbers rows by itself only in a column of its own INTEGER type, which has 64 bits there.
_Number = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """A time with a zone, in UTC on every database; SQLite keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database."""
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc)


class Base(DeclarativeBase):
    """Base of all tables."""


class Item(Base):
    """One uploaded frame.

    Attributes:
        number: The row's number in the database.
        item_id: The record's item id.
        bucket: URL that it was read from.
        vehicle, drive, place: Who saw it and where; place is a cell of some kilometre, None where unknown.
        captured_at, arrived_at: When the frame was taken, where known, and when this queue first saw it.
        source, frame_id, frame_number: Which frame of which source.
        model_digest, policy, policy_version, strategy: What chose it.
        height, width: Size of the frame in pixels.
        score, unit: The record's first score.
        focus: Number of the class of its most uncertain region; None where it has no region of a class.
        signature: 64 bits, of which frames that look alike differ in few.
        regions: Class, score, clicks and area of each region; see ``packing``.
        clicks, area_px: Sums over the regions.
        state: One of ``STATES``.
        priority: Higher goes first, whatever its value; set by people.
        lease_owner, lease_until: Who has it for labeling, and until when.
        changed_at: When its state last changed.
    """

    __tablename__ = "items"
    __table_args__ = (
        Index("items_stratum", "state", "strategy", "focus", "score"),
        Index("items_age", "state", "arrived_at"),
        Index("items_lease", "lease_until"),
        # A list's two orders, each with all that it is filtered by.
        Index("items_newest", "arrived_at", "number", "state", "vehicle", "focus", "score"),
        Index("items_value", "priority", "score", "number", "state", "vehicle", "focus"),
        Index("items_vehicle", "vehicle", "state"),
    )

    number: Mapped[int] = mapped_column(_Number, primary_key=True)
    item_id: Mapped[str] = mapped_column(String(64), unique=True)
    bucket: Mapped[str] = mapped_column(String(500))
    vehicle: Mapped[str] = mapped_column(String(64))
    drive: Mapped[str] = mapped_column(String(64))
    place: Mapped[str | None] = mapped_column(String(32))
    captured_at: Mapped[datetime | None] = mapped_column(Moment)
    arrived_at: Mapped[datetime] = mapped_column(Moment)
    source: Mapped[str] = mapped_column(String(1024))
    frame_id: Mapped[str] = mapped_column(String(1024))
    frame_number: Mapped[int] = mapped_column(BigInteger)
    model_digest: Mapped[str] = mapped_column(String(64))
    policy: Mapped[str] = mapped_column(String(200))
    policy_version: Mapped[str] = mapped_column(String(200))
    strategy: Mapped[str] = mapped_column(String(200))
    height: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    score: Mapped[float]
    unit: Mapped[str] = mapped_column(String(40))
    focus: Mapped[int | None] = mapped_column(Integer)
    signature: Mapped[int] = mapped_column(BigInteger)
    regions: Mapped[bytes] = mapped_column(LargeBinary)
    clicks: Mapped[int] = mapped_column(BigInteger)
    area_px: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8))
    priority: Mapped[int] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)


class ClassName(Base):
    """Number of a class; what ``Item.focus`` and packed regions say."""

    __tablename__ = "classes"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)


class Choice(Base):
    """Why an item was selected, and which of its regions are asked for.

    Attributes:
        item: The item's number.
        batch: Name of the selection.
        position: Which choice of the selection it was, from 0.
        region_indexes: Positions in the record's list of regions.
        clicks: What labeling them costs.
        reason: Value, rarity, distance and rank, as ``edgeseg queue list`` shows them.
    """

    __tablename__ = "choices"

    item: Mapped[int] = mapped_column(ForeignKey("items.number"), primary_key=True)
    batch: Mapped[str] = mapped_column(String(64), index=True)
    position: Mapped[int] = mapped_column(Integer)
    region_indexes: Mapped[list[int]] = mapped_column(JSON)
    clicks: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON)


class Event(Base):
    """One change of an item's state, or of its priority within a state; its arrival stands in the item itself."""

    __tablename__ = "events"

    number: Mapped[int] = mapped_column(_Number, primary_key=True)
    item: Mapped[int] = mapped_column(ForeignKey("items.number"), index=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    before: Mapped[str] = mapped_column(String(8))
    after: Mapped[str] = mapped_column(String(8))
    actor: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(String(1000))


class Cursor(Base):
    """How far the arrivals of one vehicle in one bucket were read."""

    __tablename__ = "cursors"

    bucket: Mapped[str] = mapped_column(String(500), primary_key=True)
    prefix: Mapped[str] = mapped_column(String(200), primary_key=True)
    last_key: Mapped[str] = mapped_column(String(1024))


class Quarantined(Base):
    """An uploaded object that failed a check; it is not an item."""

    __tablename__ = "quarantine"

    bucket: Mapped[str] = mapped_column(String(500), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH))
    first_seen: Mapped[datetime] = mapped_column(Moment)
