"""``edgeseg queue`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.queue.drawing import fleet_classes
from benchmarks.queue.fleet import Uploads, item_id
from edgeseg.cli import app
from edgeseg.datasets.labeled import write_classes


def call(*arguments: object) -> dict:
    done = CliRunner().invoke(app, ["queue", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "bucket")


def test_from_upload_to_selection(uploads: Uploads, tmp_path: Path) -> None:
    for number in range(6):
        uploads.add(number)
    uploads.add(6, source="<b>")
    db = ("--db", tmp_path / "queue.db")
    assert call("ingest", uploads.folder, *db) == {"ingested": 6, "known": 0, "quarantined": 1}
    assert call("select", "--budget-regions", 5, "--batch", "one", *db)["regions"] == 5
    assert call("move", item_id(0), item_id(1), "--to", "rejected", "--note", "blurred", *db) == {"moved": 2}
    assert call("stats", *db)["states"]["rejected"] == 2
    assert call("history", item_id(0), *db)["history"][-1]["note"] == "blurred"
    assert len(call("list", "--limit", 4, *db)["items"]) == 4
    assert len(call("list", "--quarantine", *db)["quarantine"]) == 1


def test_a_daily_export_holds_what_is_new(uploads: Uploads, tmp_path: Path) -> None:
    for number in range(3):
        uploads.add(number)
    write_classes(fleet_classes(), tmp_path)
    db = ("--db", tmp_path / "queue.db")
    call("ingest", uploads.folder, *db)
    export = ("export", "--to", "label-studio", "--classes", tmp_path / "classes.yaml", "--out", tmp_path / "out", *db)
    call("select", "--budget-frames", 2, *db)
    assert call(*export)["exported"] == 2
    call("select", "--budget-frames", 2, *db)
    found = call(*export)
    assert (found["exported"], found["known"]) == (1, 2)
    done = CliRunner().invoke(app, ["queue", *map(str, export)])
    assert done.exit_code != 0
    assert "--again writes those 3 items once more" in str(done.exception)
    assert call(*export, "--again")["exported"] == 3


def test_tables_are_printed_for_people(uploads: Uploads, tmp_path: Path) -> None:
    uploads.add(1)
    for words in (["ingest", str(uploads.folder)], ["list"], ["stats"], ["list", "--quarantine"]):
        done = CliRunner().invoke(app, ["queue", *words, "--db", str(tmp_path / "queue.db")])
        assert done.exit_code == 0, done.output
        assert done.stdout
