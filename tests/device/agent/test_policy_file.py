"""A policy's file that is replaced while frames go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseg.device.agent import watched
from edgeseg.device.policy import PolicySettings
from edgeseg.device.score import score
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.errors import ConfigError
from edgeseg.frames import open_source

PLAIN = "spacing_s: 0\nduplicate_bits: -1\nrarity: 0\nframe_rate_hz: 1\n"
ALL, NONE = f"frames: 36000/h\n{PLAIN}", f"frames: 1/day\nrecall: false\n{PLAIN}"
Run = Callable[[str], ScoreReport]


@pytest.fixture
def run(drive: Path, tmp_path: Path, runner: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Scores the drive by a policy that keeps all, which is replaced before the fourth frame."""
    monkeypatch.setattr(watched, "LOOKS_EVERY_S", 0.0)
    path = tmp_path / "policy.yaml"

    def scored(then: str) -> ScoreReport:
        path.write_text(ALL)
        infer = runner.infer

        def replacing(frame: Any) -> Any:
            if runner.calls == 2:
                path.with_suffix(".new").write_text(then)
                path.with_suffix(".new").replace(path)
            return infer(frame)

        runner.infer = replacing
        settings = ScoreSettings(strategy="entropy", superpixel_px=300, policy_file=path)
        with Spool(tmp_path / "spool") as spool:
            return score(settings, open_source(str(drive)), runner, spool)

    return scored


def test_new_policy_decides_from_then_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(NONE)
    kept = {item.record.frame_id for item in SpoolReader(tmp_path / "spool").list()}
    assert {"f0", "f1", "f2"} <= kept and len(kept) < 6
    assert (report.frames, report.kept, report.policy_swaps) == (6, len(kept), 1)
    assert "policy.yaml: the new settings hold from now on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("frames: many\n", "frames"),
        ("spacing_s: 1\n", "must name a budget"),
        (f"triggers: ['no.such:Adapter']\n{PLAIN}", "no.such:Adapter"),
        ("frames: [", "cannot be read as YAML"),
    ],
)
def test_policy_that_cannot_be_used_leaves_the_old_one(
    run: Run, then: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(then)
    assert (report.kept, report.policy_swaps) == (6, 0)
    told = capsys.readouterr().err
    assert "settings that cannot be used, so the old ones stay" in told and message in told


def test_policy_file_stands_alone_and_names_a_budget(
    drive: Path, tmp_path: Path, runner: Any, make_runner: Callable[..., Any]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("spacing_s: 1\n")
    settings = ScoreSettings(strategy="entropy", superpixel_px=300, policy_file=path)
    with Spool(tmp_path / "spool") as spool, pytest.raises(ConfigError, match="must name a budget"):
        score(settings, open_source(str(drive)), runner, spool)
    with pytest.raises(ConfigError, match=r"the policy is in .*policy\.yaml; write its budgets"):
        replace(settings, policy=PolicySettings(frames="1/h"))
    with pytest.raises(ConfigError, match=r"the policy is in .*policy\.yaml; write its budgets"):
        replace(settings, budget_frames=3)
