"""Uploads become items once each: twice, at once, after a crash, and with clocks that are wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import obstore
import pytest
from sqlalchemy import select

from benchmarks.queue.fleet import START, Uploads, item_id, plain_record, png
from edgeseg.errors import ConfigError, QueueError, StoreError
from edgeseg.queue import arrivals
from edgeseg.queue import ingest as module
from edgeseg.queue.classes import class_names
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import IngestReport, ingest
from edgeseg.queue.packing import unpack_regions
from edgeseg.queue.tables import Cursor, Item
from edgeseg.stores import open_store


def ids(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.scalars(select(Item.item_id)))


def test_an_item_says_what_its_record_says(uploads: Uploads, database: Database) -> None:
    plain = uploads.add(7)
    assert ingest(str(uploads.folder), database) == IngestReport(ingested=1)
    with database.read() as connection:
        row = connection.execute(select(Item.__table__)).one()
        names = class_names(connection)
    assert (row.item_id, row.vehicle, row.drive) == (plain["item_id"], plain["vehicle"], plain["drive"])
    assert (row.height, row.width, row.state, row.place) == (48, 64, "flagged", "4806,200")
    assert row.captured_at == START + timedelta(seconds=7)
    assert row.score == plain["scores"][0]["value"]
    assert row.signature == int(plain["image_hash"], 16)
    regions = unpack_regions(row.regions)
    assert [names[number] for number in regions["class"]] == [region["class_name"] for region in plain["regions"]]
    assert regions["area_px"].tolist() == [48, 48, 48]
    assert names[row.focus] == plain["regions"][0]["class_name"]
    assert (row.clicks, row.area_px) == (15, 144)


def test_ingesting_twice_changes_nothing(uploads: Uploads, database: Database) -> None:
    for number in range(20):
        uploads.add(number)
    assert ingest(str(uploads.folder), database).ingested == 20
    assert ingest(str(uploads.folder), database) == IngestReport(known=20)
    assert ingest(str(uploads.folder), database, relist=True) == IngestReport(known=20)
    assert ids(database) == sorted(map(item_id, range(20)))


def test_two_processes_at_once_make_one_item_of_each(uploads: Uploads, url: str) -> None:
    for number in range(60):
        uploads.add(number)
    code = (
        "from edgeseg.queue.database import Database; from edgeseg.queue.ingest import ingest; "
        "from edgeseg.queue import arrivals; arrivals.CHUNK = 10; "
        f"print(ingest({str(uploads.folder)!r}, Database({url!r})).ingested)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(process.communicate()[0]) for process in started) == 60
    with Database(url) as database:
        assert ids(database) == sorted(map(item_id, range(60)))


def test_a_crash_between_chunks_loses_and_doubles_nothing(
    uploads: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        uploads.add(number, vehicle="car-0")
    monkeypatch.setattr(arrivals, "CHUNK", 4)
    keep, calls = module.keep, []

    def dies(*arguments: object) -> tuple[int, int]:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return keep(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "keep", dies)
    with pytest.raises(KeyboardInterrupt):
        ingest(str(uploads.folder), database)
    assert len(ids(database)) == 12
    assert ingest(str(uploads.folder), database) == IngestReport(ingested=18, known=12)


def test_only_what_came_since_is_listed(uploads: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(5):
        uploads.add(day, START + timedelta(days=day), vehicle="car-0")
    ingest(str(uploads.folder), database)
    asked = []
    listing = module.new_arrivals

    def watched(bucket: object, queue: object) -> object:
        keys = bucket.keys  # type: ignore[attr-defined]
        bucket.keys = lambda prefix, after=None: asked.append((prefix, after)) or keys(prefix, after)  # type: ignore
        return listing(bucket, queue)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "new_arrivals", watched)
    uploads.add(5, START + timedelta(days=4, hours=2), vehicle="car-0")
    assert ingest(str(uploads.folder), database) == IngestReport(ingested=1, known=1)
    assert asked == [("arrivals/car-0/20260305", "arrivals/car-0/20260305/110000000000-")]


def test_an_arrival_that_was_overtaken_is_still_found(uploads: Uploads, database: Database) -> None:
    uploads.add(1, START, vehicle="car-0")
    ingest(str(uploads.folder), database)
    uploads.add(2, START - timedelta(minutes=50), vehicle="car-0")
    assert ingest(str(uploads.folder), database).ingested == 1


def test_an_arrival_of_the_future_hides_nothing(uploads: Uploads, database: Database) -> None:
    uploads.add(1, datetime(2099, 1, 1, tzinfo=timezone.utc), vehicle="car-0")
    assert ingest(str(uploads.folder), database).ingested == 1
    uploads.add(2, START, vehicle="car-0")
    assert ingest(str(uploads.folder), database) == IngestReport(ingested=1, known=1)


def test_a_bucket_without_arrivals_is_listed_whole_and_says_so(
    uploads: Uploads, sqlite: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    uploads.add(1)
    for path in sorted((uploads.folder / "arrivals").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (uploads.folder / "arrivals").rmdir()
    assert ingest(str(uploads.folder), sqlite).ingested == 1
    assert "has no arrivals/, so all its records are listed" in capsys.readouterr().err
    with sqlite.read() as connection:
        assert connection.scalar(select(Cursor.last_key)) is None


def test_an_object_store_is_read_as_a_folder_is(sqlite: Database, uploads: Uploads) -> None:
    for number in range(10):
        uploads.add(number)
    store = open_store("memory:///queue-ingest")
    for path in uploads.folder.rglob("*"):
        if path.is_file():
            obstore.put(store, path.relative_to(uploads.folder).as_posix(), path.read_bytes())
    assert ingest("memory:///queue-ingest", sqlite) == IngestReport(ingested=10)
    assert ingest("memory:///queue-ingest", sqlite) == IngestReport(known=10)


def test_frames_without_a_hash_that_have_the_same_regions_are_alike(uploads: Uploads, sqlite: Database) -> None:
    first = plain_record(1, png())
    for number in (1, 2):
        uploads.add(number, regions=first["regions"], image_hash=None)
    uploads.add(3, image_hash=None)
    ingest(str(uploads.folder), sqlite)
    with sqlite.read() as connection:
        found = dict(connection.execute(select(Item.frame_number, Item.signature)).all())  # type: ignore[arg-type]
    assert found[1] == found[2]
    assert found[1] != found[3]


def test_a_missing_folder_is_told(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="no such folder; name the bucket or folder that edgeseg upload writes to"):
        ingest(str(tmp_path / "nowhere"), sqlite)


def test_a_url_that_is_no_store_is_told(sqlite: Database) -> None:
    with pytest.raises(StoreError, match="is no object store"):
        ingest("ftp://host/bucket", sqlite)
    with pytest.raises(ConfigError, match="with a user, password or query is not taken"):
        ingest("https://someone:secret@host/bucket", sqlite)
