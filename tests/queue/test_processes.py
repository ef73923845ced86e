"""Processes that check records beside the one that keeps them: the same queue in the same order, whatever ends one."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
from sqlalchemy import select

from benchmarks.queue.fleet import Uploads, item_id
from edgeseg.errors import QueueError
from edgeseg.queue import arrivals, checking
from edgeseg.queue import ingest as module
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import IngestReport, ingest
from edgeseg.queue.listing import list_quarantine
from edgeseg.queue.tables import Item

SAME = ("item_id", "score", "focus", "signature", "regions", "clicks", "area_px", "place", "captured_at")


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve chunks of one vehicle, the first of which is checked without a process."""
    monkeypatch.setattr(arrivals, "CHUNK", 5)
    monkeypatch.setattr(checking, "ALONE", 1)


@pytest.fixture
def sixty(uploads: Uploads) -> str:
    for number in range(60):
        uploads.add(number, vehicle="car-0")
    return str(uploads.folder)


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(*(getattr(Item, name) for name in SAME)).order_by(Item.number)))


def reasons(database: Database) -> list[tuple[str, str]]:
    return [(row["key"], row["reason"]) for row in list_quarantine(database, 10, 0)]


def test_they_make_the_same_items_in_the_same_order_and_the_same_quarantine(
    uploads: Uploads, sixty: str, database: Database
) -> None:
    for broken in (9, 23):
        uploads.put(f"records/car-0/{item_id(broken)}.json", b"{}")
    assert ingest(sixty, database, processes=2) == IngestReport(ingested=58, quarantined=2)
    with Database(str(uploads.folder / "alone.db")) as alone:
        ingest(sixty, alone)
        assert rows(database) == rows(alone)
        assert reasons(database) == reasons(alone)


def test_what_is_known_starts_none(sixty: str, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(sixty, sqlite)

    def refuse(*_: object) -> None:
        raise AssertionError("there is nothing to check")

    monkeypatch.setattr(checking, "ProcessPoolExecutor", refuse)
    assert ingest(sixty, sqlite, processes=2) == IngestReport(known=60)


def test_one_that_is_killed_is_told_and_loses_nothing(
    sixty: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, calls = module.keep, []

    def kills(*arguments: Any) -> tuple[int, int]:
        calls.append(1)
        if len(calls) == 2:
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
        return keep(*arguments)

    monkeypatch.setattr(module, "keep", kills)
    with pytest.raises(QueueError, match="ended from outside; what was taken in before stays: run it again, with"):
        ingest(sixty, database, processes=2)
    before = len(rows(database))
    assert 10 <= before < 60
    monkeypatch.setattr(module, "keep", keep)
    again = ingest(sixty, database, processes=2)
    assert (again.ingested, again.known) == (60 - before, before)


def test_when_the_database_fails_no_process_stays_and_the_next_run_goes_on(
    sixty: str, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, calls = module.keep, []

    def fails(*arguments: Any) -> tuple[int, int]:
        calls.append(1)
        if len(calls) == 4:
            raise QueueError("the disk is full")
        return keep(*arguments)

    monkeypatch.setattr(module, "keep", fails)
    with pytest.raises(QueueError, match="the disk is full"):
        ingest(sixty, sqlite, processes=2)
    assert not multiprocessing.active_children()
    assert len(rows(sqlite)) == 15
    assert ingest(sixty, sqlite, processes=2) == IngestReport(ingested=45, known=15)
