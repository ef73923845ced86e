"""Uploads to a real S3 server, over a good line and a bad one: everything arrives, whole, once."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.upload.proxy import BadLine
from edgeseg import stores
from edgeseg.bucket import parse_arrival, parse_record_key, request_key
from edgeseg.cli import app
from edgeseg.device.spool import Spool
from edgeseg.device.spool.reader import SpoolReader
from edgeseg.device.stopping import StopRequest
from edgeseg.device.upload import UploadReport, UploadSettings, arrivals, open_destination, uploader
from edgeseg.device.upload import upload as send
from edgeseg.device.upload.destination import FolderDestination, Refused
from edgeseg.errors import StoreError
from edgeseg.records import read_record

QUICK = UploadSettings(first_wait_s=0.005, longest_wait_s=0.05, timeout_s=5, seed=0)
Fill = Callable[..., Path]


def upload(spool: Path, to: str, settings: UploadSettings = QUICK) -> UploadReport:
    with Spool(spool) as items:
        return send(settings, items, open_destination(to, settings.timeout_s), StopRequest())


def objects(url: str) -> dict[str, bytes]:
    store = stores.open_store(url)
    keys = [entry["path"] for batch in stores.obstore().list(store) for entry in batch]
    return {key: bytes(stores.obstore().get(store, key).bytes()) for key in keys}


def require_whole(found: dict[str, bytes], count: int) -> None:
    """Every record is there once with all its blobs, each is what its digest says, and nothing else is there."""
    records = [read_record(content, key) for key, content in found.items() if key.startswith("records/")]
    assert {parse_record_key(key)[1] for key in found if key.startswith("records/")} == {r.item_id for r in records}
    assert sorted(r.frame_number for r in records) == list(range(count))
    blobs = {blob.key: blob.digest for record in records for blob in record.blobs}
    assert {key for key in found if key.startswith("sha256/")} == set(blobs)
    assert all(hashlib.sha256(found[key]).hexdigest() == digest for key, digest in blobs.items())
    assert {parse_arrival(key)[1] for key in found if key.startswith("arrivals/")} == {r.item_id for r in records}


def test_items_arrive_over_a_good_line(fill: Fill, s3: str) -> None:
    spool = fill(10)
    report = upload(spool, s3)
    assert (report.sent, report.skipped, report.failed, report.retries) == (10, 0, 0, 0)
    require_whole(objects(s3), 10)
    info = SpoolReader(spool).info()
    assert (info.items, info.pending, info.uploaded) == (0, 0, 10)
    assert sum(key.startswith("arrivals/") for key in objects(s3)) == 10


def test_items_arrive_once_when_one_request_of_five_fails(fill: Fill, s3: str, bad_line: BadLine) -> None:
    spool = fill(100)
    report = upload(spool, s3)
    assert (report.sent, report.skipped, report.failed) == (100, 0, 0)
    failed = sum(count for fault, count in bad_line.counts.items() if fault not in ("ok", "delayed"))
    assert failed > 50 and len(bad_line.counts) == 9, "every kind of failure was met"
    bad_line.failing = 0
    require_whole(objects(s3), 100)


def test_listing_that_fails_is_repeated(fill: Fill, tmp_path: Path) -> None:
    class Stumbling(FolderDestination):
        failures = 0

        def folders(self, prefix: str) -> list[str]:
            self.failures += 1
            if self.failures < 4:
                raise StoreError(f"{prefix}: 503")
            return super().folders(prefix)

    with Spool(fill(1)) as spool:
        report = send(QUICK, spool, Stumbling(tmp_path / "disk"), StopRequest())
    assert (report.sent, report.failed, report.retries) == (1, 0, 3)


def test_the_most_valuable_items_go_first(fill: Fill, tmp_path: Path) -> None:
    order: list[int] = []

    class Watched(FolderDestination):
        def create(self, key: str, content: bytes) -> bool:
            if key.startswith("records/"):
                order.append(json.loads(content)["frame_number"])
            return super().create(key, content)

    with Spool(fill(6)) as spool:
        send(replace(QUICK, parallel=1), spool, Watched(tmp_path / "disk"), StopRequest())
    assert order == [5, 4, 3, 2, 1, 0]


def test_blobs_are_there_before_their_record(fill: Fill, tmp_path: Path) -> None:
    keys: list[str] = []

    class Watched(FolderDestination):
        def create(self, key: str, content: bytes) -> bool:
            keys.append(key.split("/")[0])
            return super().create(key, content)

    with Spool(fill(1)) as spool:
        send(QUICK, spool, Watched(tmp_path / "disk"), StopRequest())
    assert keys == ["sha256", "sha256", "records", "arrivals"]


def test_repeated_upload_of_the_same_items_sends_nothing(fill: Fill, s3: str) -> None:
    upload(fill(5), s3)
    report = upload(fill(5, "again"), s3)
    assert (report.sent, report.skipped, report.bytes) == (0, 5, 0)
    require_whole(objects(s3), 5)


def test_uploads_at_once_leave_one_of_each(fill: Fill, s3: str) -> None:
    spools = [fill(20, "one"), fill(20, "other")]
    reports: list[UploadReport] = []
    threads = [threading.Thread(target=lambda s=s: reports.append(upload(s, s3))) for s in spools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(r.sent for r in reports) == 20 and sum(r.skipped for r in reports) == 20
    require_whole(objects(s3), 20)


def test_two_uploads_of_one_spool_share_it(fill: Fill, tmp_path: Path) -> None:
    spool, disk = fill(30), str(tmp_path / "disk")
    reports: list[UploadReport] = []
    threads = [threading.Thread(target=lambda: reports.append(upload(spool, disk))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(r.sent for r in reports) == 30 and sum(r.failed for r in reports) == 0


def test_killed_upload_goes_on_and_loses_nothing(fill: Fill, tmp_path: Path) -> None:
    spool, disk = fill(40), tmp_path / "disk"
    command = [sys.executable, "-m", "edgeseg", "upload", str(spool), "--to", str(disk), "--bandwidth", "60KB/s"]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + 30
    while len(list(disk.glob("records/*/*"))) < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = len(list(disk.glob("records/*/*")))
    assert 3 <= before < 40
    report = upload(spool, str(disk))
    assert report.failed == 0 and report.sent + report.skipped >= 40 - before
    found = {
        p.relative_to(disk).as_posix(): p.read_bytes() for p in disk.rglob("*") if p.is_file() and p.name[0] != "."
    }
    require_whole(found, 40)


def test_damaged_blob_at_the_destination_is_replaced(fill: Fill, tmp_path: Path) -> None:
    spool, disk = fill(1), tmp_path / "disk"
    (item,) = SpoolReader(spool).list()
    torn = disk / item.record.blobs[0].key
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"torn")
    assert upload(spool, str(disk)).sent == 1
    assert hashlib.sha256(torn.read_bytes()).hexdigest() == item.record.blobs[0].digest


def test_damaged_item_stays_and_the_others_go(fill: Fill, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = fill(3)
    item = SpoolReader(spool).list()[0]
    path = item.blob("image")
    assert path is not None
    path.write_bytes(b"torn")
    report = upload(spool, str(tmp_path / "disk"))
    assert (report.sent, report.failed) == (2, 1)
    assert "is damaged" in report.problems[0] and "stays in the spool" in capsys.readouterr().err
    assert SpoolReader(spool).ids() == (item.id,)


def test_records_go_first_and_blobs_when_asked_for(fill: Fill, tmp_path: Path) -> None:
    spool, disk = fill(4), tmp_path / "disk"
    sparing = replace(QUICK, blobs="on-request")
    assert upload(spool, str(disk), sparing).announced == 4
    assert not (disk / "sha256").exists() and not (disk / "records").exists()
    wanted = read_record(next((disk / "announced/v1").iterdir()).read_bytes(), "announced")
    place = FolderDestination(disk)
    place.create(request_key("v1", wanted.item_id), b"")
    place.create(request_key("v1", "0" * 64), b"")
    report = upload(spool, str(disk), sparing)
    assert (report.sent, report.announced) == (1, 0)
    assert [path.stem for path in (disk / "records/v1").iterdir()] == [wanted.item_id]
    assert place.keys("requests/v1") == [request_key("v1", "0" * 64)], "what is not here stays asked for"
    assert upload(spool, str(disk)).sent == 3, "without the option the others follow"
    assert place.keys("announced/v1") == []


def test_arrivals_rise_though_the_clock_is_set_back(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SetBack(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(1970, 1, 1, tzinfo=timezone.utc)

    disk = tmp_path / "disk"
    upload(fill(2), str(disk))
    first = sorted(p.relative_to(disk).as_posix() for p in disk.glob("arrivals/*/*/*"))
    monkeypatch.setattr(arrivals, "datetime", SetBack)
    upload(fill(1, "new"), str(disk))
    (added,) = {p.relative_to(disk).as_posix() for p in disk.glob("arrivals/*/*/*")} - set(first)
    assert added > first[-1]


def test_refusal_ends_the_upload_and_keeps_everything(fill: Fill, tmp_path: Path) -> None:
    class Closed(FolderDestination):
        def create(self, key: str, content: bytes) -> bool:
            raise Refused("s3://x/a: no; check the vehicle's credentials and rights")

    with Spool(fill(5)) as spool:
        report = send(replace(QUICK, parallel=2), spool, Closed(tmp_path), StopRequest())
        assert report.sent == 0 and 1 <= report.failed <= 2 and report.problems
        assert spool.info().pending == 5 and spool.info().leased == 0


def test_store_that_stays_away_leaves_the_items(fill: Fill, tmp_path: Path) -> None:
    class Away(FolderDestination):
        def size(self, key: str) -> int | None:
            raise StoreError("s3://x: cannot be reached")

    with Spool(fill(3)) as spool:
        report = send(replace(QUICK, attempts=3), spool, Away(tmp_path), StopRequest())
    assert (report.sent, report.failed, report.retries) == (0, 3, 6)


def test_signal_ends_the_upload_between_two_requests(fill: Fill, tmp_path: Path) -> None:
    stop = StopRequest()

    class Stopping(FolderDestination):
        def create(self, key: str, content: bytes) -> bool:
            if key.startswith("records/"):
                stop.requested = True
            return super().create(key, content)

    with Spool(fill(5)) as spool:
        report = send(replace(QUICK, parallel=1, watch=True), spool, Stopping(tmp_path / "disk"), stop)
        assert report.interrupted and spool.info().pending == 5
    assert upload(tmp_path / "spool", str(tmp_path / "disk")).failed == 0
    assert len(list((tmp_path / "disk").glob("records/*/*"))) == 5


def test_watching_upload_sends_what_comes_in(fill: Fill, tmp_path: Path) -> None:
    stop = StopRequest()
    with Spool(fill(1)) as spool:
        watching = replace(QUICK, watch=True, poll_s=0.05)
        place = FolderDestination(tmp_path / "disk")
        thread = threading.Thread(target=send, args=(watching, spool, place, stop))
        thread.start()
        fill(3)
        give_up = time.monotonic() + 20
        while len(list((tmp_path / "disk").glob("arrivals/*/*/*"))) < 3 and time.monotonic() < give_up:
            time.sleep(0.02)
        stop.requested = True
        thread.join(20)
    assert len(list((tmp_path / "disk").glob("records/*/*"))) == 3


def test_nothing_is_sent_outside_the_windows(fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopRequest()
    monkeypatch.setattr(uploader.Windows, "wait_s", lambda self, now: setattr(stop, "requested", True) or 3600.0)
    with Spool(fill(2)) as spool:
        report = send(replace(QUICK, windows=("03:00-04:00",)), spool, FolderDestination(tmp_path / "disk"), stop)
    assert report.sent == 0 and report.interrupted and not (tmp_path / "disk").exists()


def test_command_reports_and_says_what_failed(fill: Fill, tmp_path: Path) -> None:
    spool = fill(2)
    arguments = ["upload", str(spool), "--to", str(tmp_path / "disk"), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert {"sent", "skipped", "failed", "bytes"} <= set(json.loads(result.stdout))
    assert json.loads(result.stdout)["sent"] == 2
    again = CliRunner().invoke(app, arguments)
    report = json.loads(again.stdout)
    assert again.exit_code == 0 and (report["sent"], report["skipped"], report["bytes"]) == (0, 2, 0)


def test_command_does_not_make_a_spool_of_a_mistyped_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["upload", str(tmp_path / "spol"), "--to", str(tmp_path / "disk")])
    assert result.exit_code == 1 and "is no spool" in str(result.exception)
    assert not (tmp_path / "spol").exists()
