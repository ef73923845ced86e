"""Records that came ahead of their pictures: which pictures the vehicles are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from edgeseg.bucket import ANNOUNCED, REQUESTS, parse_announced, record_key, request_key
from edgeseg.errors import DataError
from edgeseg.progress import track
from edgeseg.queue.candidates import Pool, PoolRow, pool_of
from edgeseg.queue.classes import ClassNumbers
from edgeseg.queue.database import Database
from edgeseg.queue.keep import Found, keep
from edgeseg.queue.places import Bucket
from edgeseg.queue.rows import draft
from edgeseg.queue.selection import SelectSettings, choose, known_of
from edgeseg.queue.validation import MAX_RECORD_BYTES, check_record

_AT_ONCE = 500
Owner = tuple[str, str]
"""Vehicle and item id."""


@dataclass(frozen=True)
class RequestReport:
    """What was asked for.

    Attributes:
        requested: Items whose blobs are asked for in this run.
        regions, clicks: Of these items, as a selection would ask for them.
        waiting: Announced items that are still not asked for.
        requested_before: Announced items that were asked for before, and have not come.
        quarantined: Announced records that failed a check, new in quarantine.
    """

    requested: int
    regions: int
    clicks: int
    waiting: int
    requested_before: int
    quarantined: int

    def to_dict(self) -> dict[str, int]:
        """Plain form for JSON."""
        return asdict(self)


def request_blobs(where: str, settings: SelectSettings, database: Database) -> RequestReport:
    """Asks vehicles for the pictures of the announced records that a selection would choose.

    They are compared with each other as flagged items are, by value, rarity and distance, also to what was decided on
    before. The next pass of a vehicle's upload brings what was asked for; ``ingest`` takes it in.

    Args:
        where: URL or folder that ``edgeseg upload --blobs on-request`` writes to.
        settings: Budget and bounds.
        database: The queue, of which classes, shares and decisions are known.

    Raises:
        QueueError: The bucket or the database cannot be reached.
        StoreError: ``where`` names no store.
    """
    bucket = Bucket(where)
    failed: dict[str, str] = {}
    asked = {key.removeprefix(f"{REQUESTS}/") for key in bucket.keys(REQUESTS)}
    owners = {key: owner for key, owner in _owners(bucket, failed) if "/".join(owner) not in asked}
    pool = pool_of(list(_rows(bucket, owners, database, failed)))
    _, quarantined = keep(database, Found(bucket.name, {}, failed, "", None))
    chosen = _chosen(settings, pool, database)
    for index in chosen:
        bucket.put_empty(request_key(pool.vehicles[index], pool.item_ids[index]))
    return RequestReport(
        requested=len(chosen),
        regions=sum(regions for regions, _ in chosen.values()),
        clicks=sum(clicks for _, clicks in chosen.values()),
        waiting=len(pool) - len(chosen),
        requested_before=len(asked),
        quarantined=quarantined,
    )


def _owners(bucket: Bucket, failed: dict[str, str]) -> Iterator[tuple[str, Owner]]:
    """Each announced record's key and whose it is; keys of another form go to ``failed``."""
    for key in bucket.keys(ANNOUNCED):
        try:
            yield key, parse_announced(key)
        except DataError as error:
            failed[key] = str(error)


def _rows(bucket: Bucket, owners: Mapping[str, Owner], database: Database, failed: dict[str, str]) -> Iterator[PoolRow]:
    """The records as candidates; those that cannot be used go to ``failed``."""
    keys = list(owners)
    numbers = ClassNumbers(database)
    with bucket.reader() as reader:
        for begin in track(range(0, len(keys), _AT_ONCE), "reading announced records"):
            part = keys[begin : begin + _AT_ONCE]
            for number, (key, content) in enumerate(zip(part, reader.read(part, MAX_RECORD_BYTES), strict=True), begin):
                if content is None:  # its pictures came meanwhile
                    continue
                try:
                    record = check_record(content, record_key(*owners[key]))
                    found = draft(record, bucket.name)
                    row = found.numbered(numbers.of(found.names, found.item_id))
                except DataError as error:
                    failed[key] = str(error)
                    continue
                yield PoolRow(number=number, **{name: row[name] for name in PoolRow._fields if name != "number"})


def _chosen(settings: SelectSettings, pool: Pool, database: Database) -> dict[int, tuple[int, int]]:
    """Position in the pool → regions and clicks."""
    with database.read() as connection:
        known = known_of(connection, pool)
    return {choice.index: (len(choice.region_indexes), choice.clicks) for choice in choose(settings, pool, *known)}
