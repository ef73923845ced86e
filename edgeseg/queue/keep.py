"""One chunk of checked records into the database, within one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection

from edgeseg.queue.database import Database
from edgeseg.queue.sql import insert_new, insert_or_raise
from edgeseg.queue.tables import KEY_LENGTH, REASON_LENGTH, Base, Cursor, Item, Quarantined


@dataclass(frozen=True)
class Found:
    """What one chunk brought.

    Attributes:
        bucket: Where it was found.
        items: Rows of ``Item``, by item id.
        failed: Reasons by the keys of objects that cannot be used.
        prefix, last_key: How far the vehicle's arrivals were read; None where they were not.
    """

    bucket: str
    items: Mapping[str, dict[str, Any]]
    failed: Mapping[str, str]
    prefix: str
    last_key: str | None


def keep(database: Database, found: Found) -> tuple[int, int]:
    """Writes a chunk: all of it, or nothing.

    Returns:
        Items and quarantine entries that were not there before.
    """
    now = datetime.now(timezone.utc)
    failed = [
        {"bucket": found.bucket, "key": _plain(key, KEY_LENGTH), "reason": _plain(reason, REASON_LENGTH)}
        for key, reason in sorted(found.failed.items())
    ]
    with database.write() as connection:
        # Two processes that bring the same rows wait for each other in the same order, so that none waits forever.
        items = _insert(connection, Item, [found.items[item_id] for item_id in sorted(found.items)])
        quarantined = _insert(connection, Quarantined, [{**row, "first_seen": now} for row in failed])
        if found.last_key is not None:
            row = {"bucket": found.bucket, "prefix": found.prefix, "last_key": found.last_key}
            connection.execute(insert_or_raise(connection, Cursor, ["bucket", "prefix"], "last_key"), row)
    return items, quarantined


def _insert(connection: Connection, table: type[Base], rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    return connection.execute(insert_new(connection, table).execution_options(preserve_rowcount=True), rows).rowcount


def _plain(text: str, length: int) -> str:
    """The text's beginning, without what a terminal might obey."""
    return "".join(c if c.isprintable() else "�" for c in text[:length])
