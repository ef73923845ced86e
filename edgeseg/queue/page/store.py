"""Single items: their row in the queue, their record in the bucket that they were taken from."""

from __future__ import annotations

import re
import threading
from typing import Any, NamedTuple

from sqlalchemy import select

from edgeseg.queue.database import Database
from edgeseg.queue.places import Bucket
from edgeseg.queue.tables import Choice, Item
from edgeseg.queue.tools.task import read_item
from edgeseg.records import Record

_ITEM_ID = re.compile(r"[0-9a-f]{64}")


class Row(NamedTuple):
    """What the queue knows of an item, as far as a page shows it; ``tables.Item`` and ``tables.Choice`` say what.

    ``regions`` are the positions of those asked for; None where nothing was ever asked for.
    """

    number: int
    item_id: str
    bucket: str
    vehicle: str
    drive: str
    frame_id: str
    source: str
    place: str | None
    captured_at: Any
    arrived_at: Any
    strategy: str
    policy: str
    policy_version: str
    model_digest: str
    height: int
    width: int
    score: float
    unit: str
    clicks: int
    state: str
    priority: int
    lease_owner: str | None
    lease_until: Any
    batch: str | None
    regions: list[int] | None
    reason: dict[str, Any] | None


class Store:
    """Reads items.

    Args:
        database: The queue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def row(self, item_id: str) -> Row | None:
        """An item by its id; None where there is none, or the text is no id."""
        if _ITEM_ID.fullmatch(item_id) is None:
            return None
        of_item = [Item.__table__.c[name] for name in Row._fields[:-3]]
        chosen = select(*of_item, Choice.batch, Choice.region_indexes, Choice.reason)
        with self._database.read() as connection:
            query = chosen.outerjoin(Choice, Choice.item == Item.number).where(Item.item_id == item_id)
            found = connection.execute(query).first()
        return None if found is None else Row._make(found)

    def record(self, row: Row) -> Record:
        """An item's record.

        Raises:
            DataError: It is missing, damaged or out of bounds by now.
            QueueError: The bucket cannot be reached.
        """
        return read_item(self.bucket(row.bucket), row.vehicle, row.item_id)

    def bucket(self, name: str) -> Bucket:
        """A bucket that items were taken from, opened once."""
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = Bucket(name)
            return self._buckets[name]
