"""The methods that change the training, by the command that users type."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from edgeseg.cli import app
from tests.active import tiny

NAMES = ("deal", "deal-entropy", "equal", "s4al", "random+equal", "random+s4al")


def test_each_runs_by_its_name_within_the_budget(tmp_path: Path) -> None:
    strategies = [word for name in NAMES for word in ("--strategy", name)]
    loop = ["--initial", "3", "--rounds", "1", "--group", "2", "--share", "0.5", "--epochs", "1"]
    small = [f"--set=training.{text}" for text in ("batch_size=2", "workers=0", "precision=fp32", "threads=1")]
    command = ["active", "run", "--data", "synthetic:9x48x64", "--val", "synthetic:2x48x64", "--network", tiny.NAME]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "run"), *strategies, *loop, *small, "--json"])
    assert done.exit_code == 0, done.output
    rows = {(row["strategy"], row["round"]): row for row in json.loads(done.stdout)["rows"]}
    for name in NAMES:
        assert 0 == rows[name, 0]["queried_pixels"] < rows[name, 1]["queried_pixels"] <= 48 * 64
        assert isinstance(rows[name, 1]["miou"], float)
    assert rows["deal", 1]["frames"] == 1 and rows["s4al", 1]["frames"] == 6
    assert rows["deal", 1]["figures"]["difficulty_loss"] > 0
