"""Pictures on demand: records come first, the queue asks for some, the next upload brings them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common.items import plain_item
from benchmarks.queue.fleet import png
from edgeseg.bucket import announced_key, request_key
from edgeseg.device.spool import Spool
from edgeseg.device.stopping import StopRequest
from edgeseg.device.upload import UploadReport, UploadSettings, open_destination, upload
from edgeseg.errors import QueueError
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.listing import ListSettings, list_items, list_quarantine
from edgeseg.queue.requesting import request_blobs
from edgeseg.queue.selection import SelectSettings

FRAMES, SIZE = 6, {"height": 48, "width": 64}
BY_VALUE = SelectSettings(budget_frames=2, diversity=0)


@pytest.fixture
def send(tmp_path: Path) -> Callable[[], UploadReport]:
    """A vehicle's upload, records first; its spool holds frames whose scores rise with their numbers."""
    with Spool(tmp_path / "spool") as spool:
        for number in range(FRAMES):
            blobs = {"image": png(seed=number)}
            spool.put(plain_item(number, blobs, image=SIZE, image_hash=f"{number:016x}"), blobs)
    (tmp_path / "bucket").mkdir()

    def run() -> UploadReport:
        settings = UploadSettings(blobs="on-request", first_wait_s=0.005)
        with Spool(tmp_path / "spool") as spool:
            return upload(settings, spool, open_destination(str(tmp_path / "bucket"), 5), StopRequest())

    return run


def _names(database: Database) -> list[str]:
    return sorted(item["frame"] for item in list_items(ListSettings(), database))


def test_what_is_worth_most_is_asked_for_and_comes(
    send: Callable[[], UploadReport], database: Database, tmp_path: Path
) -> None:
    bucket = str(tmp_path / "bucket")
    assert send().announced == FRAMES
    report = request_blobs(bucket, BY_VALUE, database)
    assert (report.requested, report.waiting, report.requested_before) == (2, FRAMES - 2, 0)
    again = request_blobs(bucket, BY_VALUE, database)
    assert (again.requested, again.waiting, again.requested_before) == (2, FRAMES - 4, 2)
    assert send().sent == 4
    assert ingest(bucket, database).ingested == 4
    assert _names(database) == ["f2", "f3", "f4", "f5"]
    assert not list((tmp_path / "bucket" / "requests").rglob("*.*"))
    last = request_blobs(bucket, BY_VALUE, database)
    assert (last.requested, last.waiting, last.requested_before) == (2, 0, 0)


def test_a_record_that_cannot_be_used_is_quarantined_and_not_asked_for(
    send: Callable[[], UploadReport], database: Database, tmp_path: Path
) -> None:
    send()
    bucket = tmp_path / "bucket"
    first = next((bucket / "announced" / "v").iterdir())
    plain = json.loads(first.read_text())
    first.write_text(json.dumps({**plain, "frame_id": "<script>"}))
    (bucket / "announced" / "v" / "notes.txt").write_text("no record")
    report = request_blobs(str(bucket), SelectSettings(budget_frames=FRAMES, diversity=0), database)
    assert (report.requested, report.waiting, report.quarantined) == (FRAMES - 1, 0, 2)
    assert not (bucket / request_key("v", first.stem)).exists()
    reasons = {row["key"]: row["reason"] for row in list_quarantine(database)}
    assert "must not stand in a name" in reasons[announced_key("v", first.stem)]
    assert "is no announced record's key" in reasons["announced/v/notes.txt"]


def test_where_nothing_was_announced_nothing_is_asked_for(database: Database, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = request_blobs(str(tmp_path / "empty"), BY_VALUE, database)
    assert (report.requested, report.waiting) == (0, 0)


def test_a_folder_that_is_missing_is_told(database: Database, tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="no such folder; name the bucket or folder that edgeseg upload writes to"):
        request_blobs(str(tmp_path / "nowhere"), BY_VALUE, database)
