from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edgeseg.report.panels import Panel
from edgeseg.students.sweep import Range, SweepResult, SweepSettings, TrialRow, table

ROWS = (
    TrialRow(1, {"kl_weight": 0.1, "network": "a|b"}, 0.5, 0.02, {0: 0.48, 1: 0.52}, None),
    TrialRow(2, {"kl_weight": 20.0, "network": "c"}, None, None, {0: 0.4}, "the loss is not finite"),
    TrialRow(3, {"kl_weight": 0.2, "network": "c"}, 0.6, 0.0, {0: 0.6, 1: 0.6}, None),
)
RESULT = SweepResult("out", "distill", "enet", (0, 1), ROWS)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    table.write(RESULT, tmp_path)
    return tmp_path


def test_json_counts_trials_and_names_the_best(written: Path) -> None:
    report = json.loads((written / "trials.json").read_text())
    assert (report["trials"], report["failed"], report["best"]["trial"]) == (3, 1, 3)
    assert report["rows"][1]["error"] == "the loss is not finite"


def test_csv_has_a_row_a_trial(written: Path) -> None:
    rows = list(csv.DictReader((written / "trials.csv").open()))
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert rows[0] == {
        "trial": "1",
        "kl_weight": "0.1",
        "network": "a|b",
        "miou": "0.5",
        "spread": "0.02",
        "seed 0": "0.48",
        "seed 1": "0.52",
        "error": "",
    }
    assert (rows[1]["miou"], rows[1]["seed 1"]) == ("", "")


def test_markdown_goes_from_best_to_failed(written: Path) -> None:
    lines = (written / "trials.md").read_text().splitlines()
    assert lines[0].startswith("distill enet: 3 trials (1 failed), 2 seeds each.")
    assert lines[4:] == [
        "| 3 | 0.2 | c | 0.6000 | 0.0000 |",
        "| 1 | 0.1 | a\\|b | 0.5000 | 0.0200 |",
        "| 2 | 20 | c | failed | – |",
    ]


def test_plot_has_numbers_as_numbers_and_texts_in_their_own_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Panel] = []
    monkeypatch.setattr(table, "write_panels", lambda path, panels, y_label, title: drawn.extend(panels))
    space = {"kl_weight": Range(0.1, 1.0, log=True), "network": ["c", "a|b"]}
    table.draw(RESULT, SweepSettings(method="distill", space=space), tmp_path)
    assert drawn == [
        Panel("kl_weight", [0.1, 0.2], [0.5, 0.6], [0.02, 0.0], log=True),
        Panel("network", ["c", "a|b"], [0.6, 0.5], [0.0, 0.02]),
    ]


def test_no_trial_yet_is_a_table_too(tmp_path: Path) -> None:
    table.write(SweepResult("out", "train", "enet", (0,), ()), tmp_path)
    assert json.loads((tmp_path / "trials.json").read_text())["best"] is None
