"""``edgeseg queue`` as a person calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.queue.drawing import fleet_classes
from benchmarks.queue.fleet import Uploads, item_id
from edgeseg.cli import app
from edgeseg.datasets.labeled import write_classes
from edgeseg.images import read_label, write_png

Run = Callable[..., "subprocess.CompletedProcess[str]"]


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


@pytest.fixture
def labels(uploads: Uploads, tmp_path: Path) -> Path:
    """What the queue merged of four frames in which people labeled the regions asked for, all of them as ``sign``."""
    for number in range(4):
        uploads.add(number)
    write_classes(fleet_classes(), tmp_path)
    shared = ("--classes", tmp_path / "classes.yaml", "--db", tmp_path / "queue.db")
    call("ingest", uploads.folder, *shared[2:])
    call("select", "--budget-frames", 4, *shared[2:])
    call("export", "--to", "folder", "--out", tmp_path / "asked", *shared)
    for path in (tmp_path / "asked" / "regions").iterdir():
        label = np.where(read_label(path) > 0, 5, 255).astype(np.uint8)
        write_png(tmp_path / "back" / "labels" / "anna" / path.name, label)
    found = call("import", tmp_path / "back", "--from", "folder", "--out", tmp_path / "labels", *shared)
    assert found["items"] == 4
    return tmp_path / "labels"


def test_training_and_distillation_read_what_was_merged(labels: Path, run: Run, tmp_path: Path) -> None:
    data, quick = ("--data", f"labeled:{labels}"), ("--epochs", "1", "--batch-size", "2", "--size", "48x64")
    rest = ("--val", "none", "--set", "workers=0")

    def report(*arguments: object) -> dict:
        done = run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    teacher = report("train", "enet", *data, *quick, *rest, "--out", tmp_path / "teacher")["best"]
    # An untrained network spreads its probabilities over the seven classes of the queue's map.
    (epoch,) = map(json.loads, (tmp_path / "teacher" / "metrics.jsonl").read_text().splitlines())
    assert epoch["ce"] == pytest.approx(np.log(7), abs=0.3)
    cache = tmp_path / "soft-labels"
    assert report("cache", "build", "--teacher", f"{teacher}:3", *data, "--out", cache)["frames"] == 4
    student = report("distill", "enet", *data, "--cache", cache, *quick, *rest, "--out", tmp_path / "student")["best"]
    found = report("eval", student, *data)
    assert found["images"] == 4
    assert tuple(found["iou"]) == fleet_classes().names
    assert [name for name, iou in found["iou"].items() if iou is not None] == ["sign"]


def test_tables_are_printed_for_people(uploads: Uploads, tmp_path: Path) -> None:
    uploads.add(1)
    for words in (["ingest", str(uploads.folder)], ["list"], ["stats"], ["list", "--quarantine"]):
        done = CliRunner().invoke(app, ["queue", *words, "--db", str(tmp_path / "queue.db")])
        assert done.exit_code == 0, done.output
        assert done.stdout
