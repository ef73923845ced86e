"""``edgeseg active``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgeseg.active import methods
from edgeseg.cli import app
from tests.active import quick

RUN = ["active", "run", "--data", "synthetic:5", "--val", "synthetic:2", "--initial", "2", "--rounds", "1"]
QUICK = ["--network", "tests.active.tiny:Tiny", "--size", "32x48", "--epochs", "1", "--set", "superpixel_px=400"]
LOADER = ["--set", "training.workers=0", "--set", "training.batch_size=2"]


def test_strategies_are_listed_with_what_to_choose_by() -> None:
    plain = json.loads(CliRunner().invoke(app, ["active", "strategies", "--json"]).stdout)
    assert [row["name"] for row in plain["strategies"]] == list(methods.names())
    assert set(plain["strategies"][0]) == {"name", "selects", "needs", "costs", "source", "use_when"}
    text = CliRunner().invoke(app, ["active", "strategies"]).stdout
    assert "superpixel-crf\n  selects" in text and "Kasarla 2019" in text


def test_run_prints_rows_as_json_and_goes_on_with_resume(tmp_path: Path) -> None:
    command = [*RUN, *QUICK, *LOADER, "--strategy", "entropy", "--out", str(tmp_path / "run")]
    first = CliRunner().invoke(app, [*command, "--json"])
    assert first.exit_code == 0, first.output
    rows = json.loads(first.stdout)["rows"]
    keys = {"strategy", "seed", "round", "labeled_pixels", "labeled_share", "clicks", "miou"}
    assert len(rows) == 2 and all(keys <= set(row) for row in rows)
    again = CliRunner().invoke(app, [*command, "--resume"])
    assert again.exit_code == 0 and "entropy" in again.stdout and "report.html" in again.stdout
    assert (tmp_path / "run/report.html").is_file()


@pytest.mark.parametrize("strategy", methods.names())
def test_every_strategy_runs(strategy: str, tmp_path: Path) -> None:
    drawn = ["--data", "synthetic:12", "--initial", "4", "--share", "0.5"]
    own = [f"method.{strategy}.{name}={value}" for name, value in quick.QUICK.get(strategy, {}).items()]
    command = [*RUN, *drawn, *QUICK, *LOADER, *(word for option in own for word in ("--set", option))]
    if strategy == "mc-dropout":
        command += ["--network", "enet"]  # the tiny one drops nothing
    command += ["--strategy", strategy, "--out", str(tmp_path / "run"), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.exception
    first, last = json.loads(result.stdout)["rows"]
    assert first["round"] == 0 and last["strategy"] == strategy and last["labeled_pixels"] > first["labeled_pixels"]
    assert strategy in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--strategy", "entrpy"], "strategy 'entrpy' is unknown"),
        (["--strategy", "random", "--rest", "guess"], "rest"),
        ([], "strategies"),
    ],
)
def test_what_cannot_be_run_is_told(tmp_path: Path, changes: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [*RUN, *QUICK, *changes, "--out", str(tmp_path / "run")])
    assert result.exception is not None and message in str(result.exception)
    assert not (tmp_path / "run").exists()
