"""``edgeseg sweep`` as a user runs it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import yaml

Run = Callable[..., "CompletedProcess[str]"]
SWEEP = {
    "trials": 2,
    "space": {"optimizer.learning_rate": {"low": 0.0005, "high": 0.01, "log": True}},
    "base": {"epochs": 1, "batch_size": 4, "height": 32, "width": 64, "workers": 0, "precision": "fp32"},
}


def test_sweep_from_yaml_to_table_and_back_to_train(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    words = ("sweep", "train", "enet", "--config", "sweep.yaml", "--data", "synthetic:12", "--out", "out")
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["method"], report["network"], report["trials"], report["failed"]) == ("train", "enet", 2, 0)
    with (tmp_path / "out" / "trials.csv").open() as stream:
        assert [float(row["miou"]) for row in csv.DictReader(stream)] == [row["miou"] for row in report["rows"]]
    assert (tmp_path / "out" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    again = run("train", "enet", "--config", "out/best.yaml", "--out", "best", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["best_miou"] == report["best"]["miou"]
    assert "holds a sweep; go on with it by --resume" in run(*words).stderr


def test_unknown_setting_is_named_with_its_neighbours(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(SWEEP | {"space": {"kl_wieght": [0.1]}}))
    words = ("--config", "sweep.yaml", "--data", "synthetic:12", "--cache", "c", "--out", "out")
    done = run("sweep", "distill", "enet", *words)
    assert done.returncode == 2
    assert "space.kl_wieght: distill has no setting 'kl_wieght'; near ones: kl_weight" in done.stderr
    assert not (tmp_path / "out").exists()
