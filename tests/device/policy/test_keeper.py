"""The policy within the vehicle's loop: what is spooled, displaced, asked for from outside, and remembered."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeseg.device.policy import PolicySettings
from edgeseg.device.policy.replay import replay
from edgeseg.device.policy.roll import Roll
from edgeseg.device.policy.state import PolicyState
from edgeseg.device.policy.trace import read_trace
from edgeseg.device.policy.triggers import open_triggers
from edgeseg.device.score import score
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool, SpoolLimits, SpoolReader
from edgeseg.errors import ConfigError
from edgeseg.frames import open_source

Scene = Callable[[int], NDArray[np.uint8]]


@pytest.fixture
def long_drive(tmp_path: Path, scene: Scene) -> Path:
    """30 frames whose scores are the levels below."""
    folder = tmp_path / "long"
    folder.mkdir()
    for index, level in enumerate(LEVELS):
        Image.fromarray(scene(level)).save(folder / f"f{index:02d}.png")
    return folder


LEVELS = [int(level) for level in np.random.default_rng(3).permutation(np.arange(5, 125, 4))]


def _score(source: Path, spool: Path, runner: Any, limits: SpoolLimits | None = None, **policy: Any) -> ScoreReport:
    settings = ScoreSettings(
        superpixel_px=300,
        strategy="entropy",
        policy=PolicySettings(**{"frame_rate_hz": 1.0, "duplicate_bits": -1, "rarity": 0.0, **policy}),
        trace=spool.parent / "trace.jsonl",
        ranking=spool.parent / "ranking.jsonl",
    )
    with Spool(spool, limits) as opened:
        return score(settings, open_source(str(source)), runner, opened)


def test_budget_in_a_time_keeps_the_best_of_the_drive(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    report = _score(long_drive, tmp_path / "spool", runner, frames="720/h")
    items = SpoolReader(tmp_path / "spool").list()
    best = [f"f{i:02d}" for i in np.argsort(LEVELS)[::-1][: len(items)]]
    assert report.kept == len(items) in (6, 7), "a fifth of 30 seconds"
    assert [item.record.frame_id for item in items] == best
    assert {item.record.policy for item in items} == {"top-share"}
    assert SpoolReader(tmp_path / "spool").verify().problems == ()
    ranking = [json.loads(line) for line in (tmp_path / "ranking.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in ranking if row["kept"]] == best


def test_trace_replays_to_what_was_kept(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    options: dict[str, Any] = {"frames": "720/h", "duplicate_bits": -1, "rarity": 0.0}
    report = _score(long_drive, tmp_path / "spool", runner, **options)
    found = replay(read_trace(tmp_path / "trace.jsonl"), PolicySettings(**options))
    assert found.report.kept == report.kept
    kept = {decision.candidate.frame for decision in found.decisions if decision.kept}
    assert kept == {item.record.frame_id for item in SpoolReader(tmp_path / "spool").list()}


@pytest.mark.parametrize("form", ["crops", "map"])
def test_form_is_what_is_written(long_drive: Path, tmp_path: Path, runner: Any, form: Any) -> None:
    _score(long_drive, tmp_path / "spool", runner, bytes="100MB/h", forms=(form,))
    item = SpoolReader(tmp_path / "spool").list()[0]
    assert item.record.form == form
    image = item.blob("image")
    if form == "map":
        assert image is None
        assert item.blob("classes") is not None
        return
    assert image is not None
    pixels = cv2.imread(str(image))
    assert pixels is not None
    assert pixels.shape == (120, 160, 3)
    assert 0 < (pixels.sum(2) == 0).mean() < 1, "black beyond the context of the regions"


def test_spool_without_room_refuses_and_the_drive_goes_on(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    report = _score(long_drive, tmp_path / "spool", runner, SpoolLimits(quota_bytes=10), frames="720/h")
    assert report.frames == 30
    assert report.kept == 0
    assert report.refused > 0
    plain = ScoreSettings(superpixel_px=300)
    with Spool(tmp_path / "other", SpoolLimits(quota_bytes=10)) as spool:
        assert score(plain, open_source(str(long_drive)), runner, spool).refused == 30


def test_file_asks_for_a_frame_with_what_was_before_and_after(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    asking = tmp_path / "asking"
    infer, calls = runner.infer, 0

    def infer_and_ask(image: NDArray[np.uint8]) -> Any:
        nonlocal calls
        calls += 1
        if calls == 11:
            asking.write_text("hard braking\nmore")
        return infer(image)

    runner.infer = infer_and_ask
    roll = {"pre_roll_s": 3.0, "post_roll_s": 2.0, "roll_every_s": 1.0}
    _score(long_drive, tmp_path / "spool", runner, triggers=(f"file:{asking}",), frames="6/day", **roll)
    units = {item.record.frame_id: item.record.scores[1].unit for item in SpoolReader(tmp_path / "spool").list()}
    assert set(units) == {"f07", "f08", "f09", "f10", "f11", "f12"}
    assert units["f10"] == "hard braking"
    assert "pre-roll" in {units["f08"], units["f09"]}
    assert units["f12"] == "post-roll"
    assert not asking.exists()


def test_signal_asks_for_a_frame() -> None:
    (trigger,) = open_triggers(["signal:USR1"])
    former = trigger._former  # type: ignore[attr-defined]
    assert trigger.poll() is None
    os.kill(os.getpid(), signal.SIGUSR1)
    assert trigger.poll() == "signal USR1"
    assert trigger.poll() is None
    trigger.close()
    assert signal.getsignal(signal.SIGUSR1) == former


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("signal:KILL", "choose signal:USR1 or signal:USR2"),
        ("nowhere:Trigger", "trigger 'nowhere:Trigger' cannot be imported"),
        ("collections:Counter", "lacks poll or close"),
    ],
)
def test_trigger_that_cannot_be_opened_is_refused(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_triggers([spec])


def test_roll_is_bounded_in_time_and_bytes(make_item: Callable[[int], Any], make_drive: Callable[..., Any]) -> None:
    roll = Roll(10.0, 1.0, 9000)
    assert roll.wants(0.0)
    for second, candidate in enumerate(make_drive([1.0] * 5)):
        roll.add(candidate, make_item(second))
    assert not roll.wants(4.5)
    assert [record.frame_id for _, (record, _) in roll.take(5.0)] == ["f3", "f4"], "4000 bytes each"
    assert roll.take(5.0) == []
    roll.add(candidate, make_item(4))
    assert roll.take(14.5) == [], "f4 was 10.5 seconds before"
    assert not Roll(0.0, 1.0, 9000).wants(0.0)


def test_second_run_knows_what_the_first_spent_and_kept(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    _score(long_drive, tmp_path / "spool", runner, frames="6/h", recall=False)
    first = len(SpoolReader(tmp_path / "spool").list())
    assert 1 <= first <= 6
    report = _score(long_drive, tmp_path / "spool", runner, frames="6/h", recall=False)
    assert len(SpoolReader(tmp_path / "spool").list()) + 0 <= 6
    assert report.kept <= 6 - first + report.known


def test_record_tells_by_which_settings_it_was_kept(long_drive: Path, tmp_path: Path, runner: Any) -> None:
    versions = []
    for name, budget in (("a", "720/h"), ("b", "720/h"), ("c", "360/h")):
        _score(long_drive, tmp_path / name, runner, frames=budget)
        records = [item.record for item in SpoolReader(tmp_path / name).list()]
        assert len({record.policy_version for record in records}) == 1
        versions.append(records[0].policy_version)
    assert versions[0] == versions[1] != versions[2]


def test_damaged_state_is_told_and_left_out(tmp_path: Path, runner: Any, long_drive: Path, capsys: Any) -> None:
    _score(long_drive, tmp_path / "spool", runner, frames="720/h")
    (tmp_path / "spool" / "policy" / "0.json").write_text("{")
    _score(long_drive, tmp_path / "spool", runner, frames="720/h")
    assert "the policy begins anew" in capsys.readouterr().err


def test_two_processes_at_one_spool_have_a_state_each(tmp_path: Path) -> None:
    one, other = PolicyState(tmp_path, "s"), PolicyState(tmp_path, "s")
    assert sorted(p.name for p in (tmp_path / "policy").glob("*.lock")) == ["0.lock", "1.lock"]
    one.close()
    other.close()


def test_budget_of_a_run_and_one_in_a_time_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="budget_frames is of one run"):
        ScoreSettings(budget_frames=3, policy=PolicySettings(frames="3/h"))
