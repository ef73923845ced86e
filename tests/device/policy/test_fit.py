"""Stepping down under load, and back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgeseg.device.policy.fit import FIRST_RETRY, LOOKED_AT, FittedStrategy, open_fitted
from edgeseg.device.score import score
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.device.strategies import StrategyOptions
from edgeseg.errors import ConfigError
from edgeseg.frames import open_source


def _fitted(best: str, limit_ms: float) -> FittedStrategy:
    return open_fitted(ExitStack(), best, StrategyOptions(), limit_ms)


def _note(fitted: FittedStrategy, milliseconds: float, frames: int = LOOKED_AT) -> None:
    for _ in range(frames):
        fitted.note(milliseconds)


def test_best_strategy_stays_while_it_keeps_the_limit() -> None:
    fitted = _fitted("superpixel", 100.0)
    _note(fitted, 90.0, 1000)
    assert fitted.name == "superpixel"


def test_steps_down_under_load_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    fitted = _fitted("superpixel", 100.0)
    _note(fitted, 130.0)
    assert fitted.name == "entropy"
    assert "fit: superpixel: 130 ms a frame are above 100 ms, on to entropy" in capsys.readouterr().err
    _note(fitted, 130.0)
    assert "with entropy, the cheapest strategy" in capsys.readouterr().err


def test_one_slow_frame_changes_nothing() -> None:
    fitted = _fitted("superpixel", 100.0)
    for _ in range(20):
        _note(fitted, 90.0, LOOKED_AT - 1)
        fitted.note(5000.0)
    assert fitted.name == "superpixel"


def test_tries_again_after_ever_longer_waits() -> None:
    fitted = _fitted("superpixel", 100.0)
    waits = []
    for _ in range(3):
        _note(fitted, 130.0)
        waits.append(0)
        while fitted.name == "entropy":
            fitted.note(50.0)
            waits[-1] += 1
    assert waits == [2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]


def test_strategy_beside_the_ladder_comes_before_its_cheaper_steps() -> None:
    fitted = _fitted("random", 100.0)
    _note(fitted, 130.0)
    assert fitted.name == "superpixel"
    assert {"class_map", "entropy", "frame_entropy"} <= set(fitted.needs)


def test_limit_must_be_above_0() -> None:
    with pytest.raises(ConfigError, match="fit_ms must be above 0, got 0"):
        _fitted("superpixel", 0.0)


def test_records_name_the_strategy_that_scored_them(drive: Path, runner: Any, tmp_path: Path) -> None:
    settings = ScoreSettings(superpixel_px=300, fit_ms=0.000001)
    with Spool(tmp_path / "spool") as spool:
        for name in ("a", "b", "c"):
            folder = tmp_path / name
            folder.mkdir()
            for path in drive.iterdir():
                (folder / f"{name}{path.name}").write_bytes(path.read_bytes())
        frames = open_source(str(tmp_path), every=1)
        score(settings, frames, runner, spool)
    found = {item.record.strategy for item in SpoolReader(tmp_path / "spool").list()}
    assert found == {"superpixel", "entropy"}
