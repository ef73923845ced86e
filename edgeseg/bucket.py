"""Where uploaded items lie in a bucket: what ``upload`` writes and ``queue ingest`` reads.

    sha256/AB/DIGEST.png                                 a blob, under the key that its record names
    records/VEHICLE/ITEM_ID.json                         the record, put once when all its blobs are there
    arrivals/VEHICLE/YYYYMMDD/HHMMSSffffff-ITEM_ID       empty, put after the record
    announced/VEHICLE/ITEM_ID.json                       a record whose blobs wait on the vehicle
    requests/VEHICLE/ITEM_ID                             put, empty, by whoever wants these blobs; gone when they came

Blobs and records have one key for one content, so that uploading again leaves exactly one of each. Such keys do not
tell what is new; the arrivals do: within a vehicle they rise, and whoever read up to one lists only what comes after.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import NamedTuple

from edgeseg.errors import DataError

RECORDS = "records"
ARRIVALS = "arrivals"
ANNOUNCED = "announced"
REQUESTS = "requests"
_ARRIVAL = re.compile(r"arrivals/([A-Za-z0-9][A-Za-z0-9._-]{0,63})/(\d{8})/(\d{12})-([0-9a-f]{64})")
_REQUEST = re.compile(r"requests/([A-Za-z0-9][A-Za-z0-9._-]{0,63})/([0-9a-f]{64})")
_ANNOUNCED = re.compile(r"announced/([A-Za-z0-9][A-Za-z0-9._-]{0,63})/([0-9a-f]{64})\.json")
_RECORD = re.compile(r"records/([A-Za-z0-9][A-Za-z0-9._-]{0,63})/([0-9a-f]{64})\.json")


def record_key(vehicle: str, item_id: str) -> str:
    """Key of an item's record."""
    return f"{RECORDS}/{vehicle}/{item_id}.json"


def arrival_key(vehicle: str, item_id: str, moment: datetime) -> str:
    """Key of the mark that an item's record is there.

    Args:
        vehicle: The record's vehicle.
        item_id: The record's item id.
        moment: When the record was put, with a time zone. Of one vehicle these must rise: whoever's clock was set
            back goes on from its latest arrival.
    """
    return f"{ARRIVALS}/{vehicle}/{moment.astimezone(timezone.utc):%Y%m%d/%H%M%S%f}-{item_id}"


def announced_key(vehicle: str, item_id: str) -> str:
    """Key of a record that was sent ahead of its blobs."""
    return f"{ANNOUNCED}/{vehicle}/{item_id}.json"


def parse_announced(key: str) -> tuple[str, str]:
    """(vehicle, item id) of a record that was sent ahead of its blobs.

    Raises:
        DataError: The key has another form.
    """
    return _owner(_ANNOUNCED, key, f"no announced record's key; the form is {ANNOUNCED}/VEHICLE/ITEM_ID.json")


def request_key(vehicle: str, item_id: str) -> str:
    """Key by which the blobs of an announced record are asked for."""
    return f"{REQUESTS}/{vehicle}/{item_id}"


def parse_request(key: str) -> tuple[str, str]:
    """(vehicle, item id) of a request.

    Raises:
        DataError: The key has another form.
    """
    return _owner(_REQUEST, key, f"no request; the form is {REQUESTS}/VEHICLE/ITEM_ID")


class Arrival(NamedTuple):
    """What an arrival's key says: which item, and when its record was put."""

    vehicle: str
    item_id: str
    moment: datetime


def parse_arrival(key: str) -> Arrival:
    """Takes an arrival's key apart.

    Raises:
        DataError: The key has another form.
    """
    try:
        vehicle, day, time, item_id = _ARRIVAL.fullmatch(key).groups()  # type: ignore[union-attr]
        # Five times as fast as strptime, and a queue reads millions of them.
        date = (int(day[:4]), int(day[4:6]), int(day[6:]))
        clock = (int(time[:2]), int(time[2:4]), int(time[4:6]), int(time[6:]))
        moment = datetime(*date, *clock, tzinfo=timezone.utc)
    except (AttributeError, ValueError):
        raise DataError(
            f"{key[:200]!r} is no arrival; the form is {ARRIVALS}/VEHICLE/YYYYMMDD/HHMMSSffffff-ITEM_ID"
        ) from None
    return Arrival(vehicle, item_id, moment)


def parse_record_key(key: str) -> tuple[str, str]:
    """(vehicle, item id) that a record's key names.

    Raises:
        DataError: The key has another form.
    """
    return _owner(_RECORD, key, f"no record's key; the form is {RECORDS}/VEHICLE/ITEM_ID.json")


def _owner(form: re.Pattern[str], key: str, otherwise: str) -> tuple[str, str]:
    found = form.fullmatch(key)
    if found is None:
        raise DataError(f"{key[:200]!r} is {otherwise}")
    return found[1], found[2]
