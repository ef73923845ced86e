"""Uploaded records → items of the queue. Twice, at once from two processes, or after a crash: nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import select

from edgeseg.bucket import ARRIVALS, parse_arrival, parse_record_key, record_key
from edgeseg.errors import DataError
from edgeseg.progress import track, warn
from edgeseg.queue.arrivals import OVERLAP, Chunk, all_records, new_arrivals
from edgeseg.queue.checking import Checked, checked_in_order
from edgeseg.queue.classes import ClassNumbers
from edgeseg.queue.database import Database
from edgeseg.queue.keep import Found, keep
from edgeseg.queue.places import Bucket
from edgeseg.queue.tables import Item, Quarantined


@dataclass(frozen=True)
class IngestReport:
    """What a run found.

    Attributes:
        ingested: Items that are new in the queue.
        known: Arrivals whose item or quarantine entry was there already.
        quarantined: Objects that failed a check in this run.
    """

    ingested: int = 0
    known: int = 0
    quarantined: int = 0

    def __add__(self, other: IngestReport) -> IngestReport:
        sums = (self.ingested + other.ingested, self.known + other.known, self.quarantined + other.quarantined)
        return IngestReport(*sums)

    def to_dict(self) -> dict[str, int]:
        """Plain form for JSON."""
        return asdict(self)


def ingest(where: str, database: Database, relist: bool = False, processes: int = 1) -> IngestReport:
    """Takes what vehicles uploaded since the last run into the queue.

    Args:
        where: URL or folder that ``edgeseg upload --to`` wrote.
        database: The queue.
        relist: Go through all records instead of the arrivals, for a bucket whose arrivals were lost.
        processes: How many read and check records beside this one, where there are thousands. More than 1 needs a
            main module that can be imported, as for all of Python's ``multiprocessing``.

    Raises:
        QueueError: The bucket or the database cannot be reached, or a process was ended; what was taken in before
            stays.
        StoreError: ``where`` names no store.
    """
    bucket = Bucket(where)
    if not relist and not bucket.folders(ARRIVALS):
        relist = True
        warn(f"{bucket.name}: has no {ARRIVALS}/, so all its records are listed")
    chunks = all_records(bucket) if relist else new_arrivals(bucket, database)
    step = _Step(bucket.name, database, ClassNumbers(database))
    found = checked_in_order(bucket, step.keys(track(chunks, "ingesting", total=0)), processes)
    with closing(found):
        return sum((step.keep(*one) for one in found), IngestReport())


@dataclass(frozen=True)
class _Announced:
    """A chunk, and the reasons against those of its keys that name no record."""

    chunk: Chunk
    failed: dict[str, str]


@dataclass(frozen=True)
class _Step:
    bucket: str
    database: Database
    numbers: ClassNumbers

    def keys(self, chunks: Iterable[Chunk]) -> Iterator[tuple[_Announced, list[str]]]:
        """The keys of each chunk's records that are neither items nor in quarantine."""
        for chunk in chunks:
            failed: dict[str, str] = {}
            yield _Announced(chunk, failed), self._unknown(_record_keys(chunk, failed))

    def keep(self, announced: _Announced, checked: Checked) -> IngestReport:
        """Keeps one chunk."""
        chunk, failed = announced.chunk, announced.failed | checked.failed
        rows = self._rows(checked, failed)
        last_key = None if chunk.is_listing else _last_arrival(chunk.keys)
        added, quarantined = keep(self.database, Found(self.bucket, rows, failed, chunk.prefix, last_key))
        return IngestReport(added, len(chunk.keys) - added - quarantined, quarantined)

    def _unknown(self, keys: Sequence[str]) -> list[str]:
        ids = {parse_record_key(key)[1]: key for key in keys}
        held = select(Quarantined.key).where(Quarantined.bucket == self.bucket, Quarantined.key.in_(keys))
        with self.database.read() as connection:
            known = set(connection.scalars(select(Item.item_id).where(Item.item_id.in_(ids))))
            quarantined = set(connection.scalars(held))
        return [key for item_id, key in ids.items() if item_id not in known and key not in quarantined]

    def _rows(self, checked: Checked, failed: dict[str, str]) -> dict[str, dict[str, Any]]:
        rows = {}
        for key, draft in checked.drafts.items():
            try:
                rows[draft.item_id] = draft.numbered(self.numbers.of(draft.names, draft.item_id))
            except DataError as error:
                failed[key] = str(error)
        return rows


def _record_keys(chunk: Chunk, failed: dict[str, str]) -> list[str]:
    """Keys of the records that the chunk names, each once."""
    keys: dict[str, None] = {}
    for key in chunk.keys:
        try:
            vehicle, item_id = parse_record_key(key) if chunk.is_listing else parse_arrival(key)[:2]
            keys[record_key(vehicle, item_id)] = None
        except DataError as error:
            failed[key] = str(error)
    return list(keys)


def _last_arrival(keys: Iterable[str]) -> str | None:
    """The last key that is an arrival, and not of the future: a wrong clock must not hide what comes after it."""
    latest = datetime.now(timezone.utc) + OVERLAP
    return max((key for key in keys if _is_until(key, latest)), default=None)


def _is_until(key: str, latest: datetime) -> bool:
    try:
        return parse_arrival(key).moment <= latest
    except DataError:
        return False
