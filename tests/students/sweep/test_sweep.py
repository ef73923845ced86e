from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg import config, datasets
from edgeseg.errors import ConfigError, OutputError, TrainingError
from edgeseg.images import write_png
from edgeseg.nets.checkpoint import read_info
from edgeseg.students import DistillSettings, TrainResult, TrainSettings, train
from edgeseg.students.sweep import SweepSettings, run, sweep
from edgeseg.students.sweep.folder import SweepFolder

MakeSweep = Callable[..., SweepSettings]


def _rows(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "trials.json").read_text())["rows"]  # type: ignore[no-any-return]


def test_sweep_writes_what_it_promises(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    settings = sweep_settings(seeds=[3, 4])
    result = sweep(settings, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        *("best.yaml", "study.db", "sweep.png", "sweep.yaml"),
        *("trials", "trials.csv", "trials.json", "trials.md"),
    }
    assert len(result.rows) == len(_rows(tmp_path / "out")) == 2
    assert config.resolve(SweepSettings, tmp_path / "out" / "sweep.yaml") == settings
    for row in result.rows:
        assert row.miou == pytest.approx(statistics.fmean(row.by_seed.values()))
        assert set(row.by_seed) == {3, 4} and row.spread == pytest.approx(statistics.stdev(row.by_seed.values()))


def test_value_of_a_trial_is_that_of_its_training_alone(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    sweep(sweep_settings(), tmp_path / "out")
    best = config.resolve(TrainSettings, tmp_path / "out" / "best.yaml")
    alone = train(best, tmp_path / "alone")
    assert alone.best_miou == max(row["miou"] for row in _rows(tmp_path / "out"))
    assert best.optimizer.learning_rate in [r["settings"]["optimizer.learning_rate"] for r in _rows(tmp_path / "out")]


def test_measure_is_held_out_of_the_training_split(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    settings = sweep_settings(trials=1)
    sweep(settings, tmp_path / "out")
    info = read_info(tmp_path / "out" / "trials" / "0000" / "seed0" / "best.edgeseg")
    train_part, _ = datasets.holdout(datasets.open(settings.base["data"]))
    assert info.data_digest == train_part.digest()


def test_finished_training_keeps_what_is_of_use(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    sweep(sweep_settings(trials=1), tmp_path / "out")
    kept = {path.name for path in (tmp_path / "out" / "trials" / "0000" / "seed0").iterdir()}
    assert kept == {"best.edgeseg", "config.yaml", "metrics.jsonl"}


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_interrupted_sweep_ends_as_if_it_never_was(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    space = {"optimizer.learning_rate": [0.001, 0.01, 0.03, 0.1], "ema_decay": [0.0, 0.9]}
    if sampler != "grid":
        space["optimizer.learning_rate"] = {"low": 0.001, "high": 0.1, "log": True}  # type: ignore[assignment]
    settings = sweep_settings(space=space, sampler=sampler, trials=7, seeds=[0, 1])
    monkeypatch.setattr(run, "train", lambda settings, out, resume: _pretended(settings))
    sweep(settings, tmp_path / "whole")
    started = []

    def interrupted(settings: TrainSettings, out: Path, resume: bool) -> Any:
        started.append(out)
        if len(started) % 3 == 0:
            raise KeyboardInterrupt
        return _pretended(settings)

    monkeypatch.setattr(run, "train", interrupted)
    for _ in range(20):
        try:
            sweep(settings, tmp_path / "parts", resume=True)
            break
        except KeyboardInterrupt:
            pass
    assert _rows(tmp_path / "parts") == _rows(tmp_path / "whole")
    finished = [out for number, out in enumerate(started, 1) if number % 3]
    assert len(finished) == len(set(finished)) == 14


def _pretended(settings: TrainSettings) -> Any:
    miou = 0.5 - abs(settings.optimizer.learning_rate - 0.02) + 0.01 * settings.ema_decay + 0.001 * settings.seed
    return TrainResult(Path("best"), Path("last"), 1, miou)


def test_distillation_s_own_settings_can_be_searched(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[DistillSettings] = []

    def pretended(settings: DistillSettings, out: Path, resume: bool) -> TrainResult:
        tried.append(settings)
        return _pretended(settings)

    monkeypatch.setattr(run, "distill", pretended)
    space = {"cache": ["hot", "cold"], "kl_weight": [0.1, "auto"], "student_temperature": [2.0]}
    settings = replace(sweep_settings(space=space, sampler="grid", trials=9), method="distill")
    assert len(sweep(settings, tmp_path / "out").rows) == 4
    found = {(str(s.cache), s.kl_weight, s.student_temperature) for s in tried}
    assert found == {(c, w, 2.0) for c in ("hot", "cold") for w in (0.1, "auto")}


def test_tpe_looks_where_it_was_good(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "train", lambda settings, out, resume: _pretended(settings))
    sweep(sweep_settings(trials=25), tmp_path / "out")
    rates = [row["settings"]["optimizer.learning_rate"] for row in _rows(tmp_path / "out")]
    distance = [abs(rate - 0.02) for rate in rates]
    assert len(set(rates)) == 25
    assert statistics.fmean(distance[-10:]) < 0.5 * statistics.fmean(distance[:10])


def test_sweep_killed_by_sigkill_goes_on_inside_its_training(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    settings = sweep_settings(base={"epochs": 25})
    sweep(settings, tmp_path / "whole")
    config.write(settings, tmp_path / "settings.yaml")
    code = (
        "import sys; from pathlib import Path; from edgeseg.config import resolve\n"
        "from edgeseg.students.sweep import SweepSettings, sweep\n"
        f"sweep(resolve(SweepSettings, Path({str(tmp_path / 'settings.yaml')!r})), "
        f"Path({str(tmp_path / 'killed')!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True, cwd=Path(__file__).parents[3]
    )
    metrics = tmp_path / "killed" / "trials" / "0001" / "seed0" / "metrics.jsonl"
    deadline = time.monotonic() + 300
    while not (metrics.exists() and len(metrics.read_text().splitlines()) >= 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(_rows(tmp_path / "killed")) == 1
    before = (tmp_path / "killed" / "trials" / "0000" / "seed0" / "metrics.jsonl").stat().st_mtime_ns
    sweep(settings, tmp_path / "killed", resume=True)
    assert _rows(tmp_path / "killed") == _rows(tmp_path / "whole")
    assert (tmp_path / "killed" / "trials" / "0000" / "seed0" / "metrics.jsonl").stat().st_mtime_ns == before
    best = [(tmp_path / n / "trials" / "0001" / "seed0" / "best.edgeseg").read_bytes() for n in ("killed", "whole")]
    assert best[0] == best[1]


def test_more_trials_may_be_asked_for_later(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "train", lambda settings, out, resume: _pretended(settings))
    sweep(sweep_settings(trials=2), tmp_path / "out")
    assert len(sweep(sweep_settings(trials=4), tmp_path / "out", resume=True).rows) == 4


def test_failed_trial_is_told_and_the_sweep_goes_on(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    base = {"optimizer": {"kind": "sgd"}, "epochs": 60, "evaluate_every": 60}
    settings = sweep_settings(base=base, space={"optimizer.learning_rate": [100.0, 0.001]}, sampler="grid")
    result = sweep(settings, tmp_path / "out")
    failed = {row.settings["optimizer.learning_rate"]: row.error for row in result.rows}
    assert failed[0.001] is None
    assert "not finite" in str(failed[100.0])
    assert result.best is not None and result.best.settings == {"optimizer.learning_rate": 0.001}


def test_sweep_without_a_good_trial_says_so(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: TrainSettings, out: Path, resume: bool) -> Any:
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr(run, "train", broken)
    with pytest.raises(TrainingError, match="every trial failed, the last with: the loss is not finite"):
        sweep(sweep_settings(), tmp_path / "out")


def test_folder_with_a_sweep_is_not_overwritten(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "train", lambda settings, out, resume: _pretended(settings))
    sweep(sweep_settings(), tmp_path / "out")
    with pytest.raises(OutputError, match="holds a sweep; go on with it by --resume"):
        sweep(sweep_settings(), tmp_path / "out")


@pytest.mark.parametrize("resume", [True, False])
def test_folder_of_another_sweep_is_refused(
    sweep_settings: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    monkeypatch.setattr(run, "train", lambda settings, out, resume: _pretended(settings))
    sweep(sweep_settings(), tmp_path / "out")
    other = sweep_settings(base={"batch_size": 2, "workers": 1}, seeds=[5])
    with pytest.raises(ConfigError) as caught:
        sweep(other, tmp_path / "out", resume=resume)
    assert "holds another sweep" in str(caught.value)
    assert "base.batch_size: 3, now 2" in str(caught.value) and "seeds: [0], now [5]" in str(caught.value)
    assert "workers" not in str(caught.value)


def test_second_process_on_a_sweep_is_refused(sweep_settings: MakeSweep, tmp_path: Path) -> None:
    settings = sweep_settings()
    with (
        SweepFolder(tmp_path / "out").claimed(settings, resume=False),
        pytest.raises(OutputError, match="another process runs this sweep"),
    ):
        sweep(settings, tmp_path / "out", resume=True)


@pytest.mark.parametrize("labeled", [True, False])
def test_nothing_to_measure_on_is_told_before_anything(
    sweep_settings: MakeSweep, tmp_path: Path, labeled: bool
) -> None:
    settings = sweep_settings(base={"val": "none"})
    if not labeled:
        unlabeled = tmp_path / "unlabeled"
        (unlabeled / "images").mkdir(parents=True)
        (unlabeled / "classes.yaml").write_text("[road, sky]")
        write_png(unlabeled / "images" / "a.png", np.zeros((32, 48, 3), np.uint8))
        base = {"data": f"folder:{unlabeled}", "cache": "c", "ce_weight": 0, "kl_on": "all"}
        settings = replace(sweep_settings(base=base), method="distill")
    with pytest.raises(ConfigError, match="a sweep needs labels to measure on"):
        sweep(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
