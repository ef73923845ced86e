"""Keys in a bucket: rising arrivals, one key for one content, and nothing else taken for either."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from edgeseg.bucket import (
    announced_key,
    arrival_key,
    parse_arrival,
    parse_record_key,
    parse_request,
    record_key,
    request_key,
)
from edgeseg.errors import DataError

ITEM = "0123456789abcdef" * 4
MOMENT = datetime(2026, 3, 1, 23, 59, 59, 999_999, timezone.utc)


def test_arrivals_of_a_vehicle_sort_by_time() -> None:
    moments = [MOMENT + timedelta(microseconds=step) for step in (0, 1, 10**6, 86_400 * 10**6)]
    keys = [arrival_key("car-1", ITEM, moment) for moment in moments]
    assert keys == sorted(keys)
    assert keys[0] == f"arrivals/car-1/20260301/235959999999-{ITEM}"


def test_arrivals_are_in_utc() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=9)))
    assert arrival_key("car-1", ITEM, there) == arrival_key("car-1", ITEM, MOMENT)


def test_keys_are_read_back() -> None:
    assert parse_arrival(arrival_key("car-1", ITEM, MOMENT)) == ("car-1", ITEM, MOMENT)
    assert parse_record_key(record_key("car-1", ITEM)) == ("car-1", ITEM)
    assert parse_request(request_key("car-1", ITEM)) == ("car-1", ITEM)
    assert announced_key("car-1", ITEM) == f"announced/car-1/{ITEM}.json"


def test_an_arrival_on_no_day_of_the_calendar_is_refused() -> None:
    with pytest.raises(DataError, match="is no arrival"):
        parse_arrival(f"arrivals/car-1/20261399/000000000000-{ITEM}")


@pytest.mark.parametrize("vehicle", ["..", "a/b", "", "<b>", "a\n"])
def test_keys_of_another_form_are_refused(vehicle: str) -> None:
    with pytest.raises(DataError, match="is no arrival; the form is arrivals/VEHICLE"):
        parse_arrival(arrival_key(vehicle, ITEM, MOMENT))
    with pytest.raises(DataError, match="is no record's key; the form is records/VEHICLE"):
        parse_record_key(record_key(vehicle, ITEM))
    with pytest.raises(DataError, match="is no request; the form is requests/VEHICLE"):
        parse_request(request_key(vehicle, ITEM))
