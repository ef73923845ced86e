"""Which records of a bucket are new: its arrivals are read on from where the last run stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from edgeseg.bucket import ARRIVALS, RECORDS, arrival_key, parse_arrival
from edgeseg.queue.database import Database
from edgeseg.queue.places import Bucket
from edgeseg.queue.tables import Cursor

CHUNK = 500
"""Records that are read, checked and kept together."""
OVERLAP = timedelta(hours=1)
"""How far before the last arrival the listing starts: two uploaders of one vehicle may overtake each other by this."""


@dataclass(frozen=True)
class Chunk:
    """Keys that are handled together.

    Attributes:
        prefix: Prefix of their vehicle.
        keys: Sorted; arrivals, or records where all are listed.
        is_listing: Whether the keys are records.
    """

    prefix: str
    keys: tuple[str, ...]
    is_listing: bool = False


def new_arrivals(bucket: Bucket, database: Database) -> Iterator[Chunk]:
    """Arrivals since the last run, vehicle by vehicle and day by day, and again those of the last hour before.

    Days that lie behind are not listed.
    """
    for vehicle in bucket.folders(ARRIVALS):
        prefix = f"{ARRIVALS}/{vehicle}"
        start = _resume_at(database, bucket.name, prefix)
        first_day = "" if start is None else start.split("/")[2]
        for day in bucket.folders(prefix):
            if day >= first_day:
                yield from _chunks(prefix, bucket.keys(f"{prefix}/{day}", after=start), False)


def all_records(bucket: Bucket) -> Iterator[Chunk]:
    """Every record of the bucket, whatever was read before."""
    for vehicle in bucket.folders(RECORDS):
        prefix = f"{RECORDS}/{vehicle}"
        yield from _chunks(prefix, bucket.keys(prefix), True)


def _chunks(prefix: str, keys: list[str], is_listing: bool) -> Iterator[Chunk]:
    for begin in range(0, len(keys), CHUNK):
        yield Chunk(prefix, tuple(keys[begin : begin + CHUNK]), is_listing)


def _resume_at(database: Database, bucket: str, prefix: str) -> str | None:
    chosen = select(Cursor.last_key).where(Cursor.bucket == bucket, Cursor.prefix == prefix)
    with database.read() as connection:
        last = connection.scalar(chosen)
    if last is None:
        return None
    before = parse_arrival(last)
    return arrival_key(before.vehicle, "", before.moment - OVERLAP)
