"""The loop: budgets, counts, ranking, interruption, and what is told when something does not fit."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeseg import config
from edgeseg.device import items
from edgeseg.device.score import score
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.device.strategies import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, DataError, ModelError, OutputError
from edgeseg.frames import open_source

SMALL = ScoreSettings(superpixel_px=300)


def _run(settings: ScoreSettings, drive: Path, runner: Any, tmp_path: Path, **source: Any) -> ScoreReport:
    with Spool(tmp_path / "spool") as spool:
        return score(settings, open_source(str(drive), **source), runner, spool)


def _frames(tmp_path: Path) -> list[str]:
    return [item.record.frame_id for item in SpoolReader(tmp_path / "spool").list()]


@pytest.mark.parametrize("strategy", ["random", "entropy", "superpixel"])
def test_without_a_budget_every_frame_is_kept(drive: Path, runner: Any, tmp_path: Path, strategy: str) -> None:
    report = _run(replace(SMALL, strategy=strategy), drive, runner, tmp_path)
    assert (report.frames, report.kept, report.dropped, report.unreadable) == (6, 6, 0, 0)
    assert not report.interrupted
    assert SpoolReader(tmp_path / "spool").verify().problems == ()


def test_report_has_the_keys_that_stay(drive: Path, runner: Any, tmp_path: Path) -> None:
    plain = json.loads(json.dumps(_run(SMALL, drive, runner, tmp_path).to_dict()))
    assert set(plain) >= {"frames", "kept", "dropped", "timing_ms", "spool"}
    assert set(plain["timing_ms"]) >= {"decode", "network", "scoring", "total"}
    assert all(plain["timing_ms"][part] > 0 for part in ("decode", "network", "scoring", "total"))
    assert plain["spool"] == str(tmp_path / "spool")


def test_budget_keeps_the_most_uncertain_frames(drive: Path, runner: Any, tmp_path: Path) -> None:
    report = _run(replace(SMALL, budget_frames=3), drive, runner, tmp_path)
    assert (report.frames, report.kept, report.dropped) == (6, 3, 3)
    assert _frames(tmp_path) == ["f2", "f4", "f1"]


def test_same_drive_twice_is_one_set_of_items(drive: Path, runner: Any, tmp_path: Path) -> None:
    _run(SMALL, drive, runner, tmp_path)
    report = _run(SMALL, drive, runner, tmp_path)
    assert (report.frames, report.kept, report.known) == (6, 6, 6)
    assert len(_frames(tmp_path)) == 6


def test_every_nth_frame_is_scored(drive: Path, runner: Any, tmp_path: Path) -> None:
    report = _run(SMALL, drive, runner, tmp_path, every=2)
    assert (report.frames, runner.calls) == (3, 3)
    assert set(_frames(tmp_path)) == {"f0", "f2", "f4"}


def test_ranking_lists_every_frame_by_score(drive: Path, runner: Any, tmp_path: Path) -> None:
    path = tmp_path / "ranking.jsonl"
    _run(replace(SMALL, budget_frames=2, ranking=path), drive, runner, tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["frame"] for row in rows] == ["f2", "f4", "f1", "f3", "f5", "f0"]
    assert [row["kept"] for row in rows] == [True, True, False, False, False, False]
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    spooled = SpoolReader(tmp_path / "spool").ids()
    assert {row["item_id"] for row in rows if row["kept"]} == set(spooled)
    assert all(row["item_id"] is None for row in rows if not row["kept"])


def test_record_says_who_where_and_with_what(drive: Path, runner: Any, tmp_path: Path) -> None:
    _run(replace(SMALL, vehicle="car-7", drive="d3", budget_frames=1), drive, runner, tmp_path)
    (item,) = SpoolReader(tmp_path / "spool").list()
    record = item.record
    assert (record.vehicle, record.drive, record.source) == ("car-7", "d3", str(drive))
    assert (record.model_digest, record.policy, record.strategy) == (runner.digest, "best-of-run", "superpixel")
    assert record.regions
    assert sum(region.area_px for region in record.regions) <= 0.1 * 120 * 160
    for kind in ("image", "entropy", "classes"):
        path = item.blob(kind)
        assert path is not None
        assert Image.open(path).size == (160, 120)


def test_broken_frame_is_skipped_counted_and_told(
    drive: Path, runner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drive / "f3.png").write_bytes(b"torn")
    report = _run(SMALL, drive, runner, tmp_path, skip_broken=True)
    assert (report.frames, report.kept, report.unreadable) == (5, 5, 1)
    assert "f3.png" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_after_the_frame_in_hand(
    drive: Path, runner: Any, tmp_path: Path, number: signal.Signals
) -> None:
    infer = runner.infer

    def interrupted(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        if runner.calls == 2:
            os.kill(os.getpid(), number)
        return dict(infer(frame))

    before = signal.getsignal(number)
    runner.infer = interrupted
    report = _run(SMALL, drive, runner, tmp_path)
    assert report.interrupted
    assert (report.frames, report.kept) == (3, 3)
    assert set(_frames(tmp_path)) == {"f0", "f1", "f2"}, "the frame in hand is finished"
    assert signal.getsignal(number) is before


def test_missing_output_names_the_export_option(drive: Path, runner: Any, tmp_path: Path) -> None:
    runner.output_names = ("logits",)
    with pytest.raises(ModelError, match=r"strategy superpixel needs.*--outputs logits"):
        _run(SMALL, drive, runner, tmp_path)


class NeedsMargin:
    """A user's own strategy, which reads the two best classes."""

    name = "margin"
    needs = ("top2_classes",)

    def __init__(self, options: StrategyOptions) -> None:
        self.options = options

    def score(self, view: FrameView) -> FrameScore:
        raise AssertionError("is never reached")


class NotFinite(NeedsMargin):
    """A strategy whose arithmetic went wrong."""

    needs = ()

    def score(self, view: FrameView) -> FrameScore:
        return FrameScore("broken", float("nan"), "", view.superpixels, np.zeros(int(view.superpixels.max()) + 1), "")


@pytest.fixture
def own_strategy(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], str]:
    def give(kind: type) -> str:
        import sys
        import types

        module = types.ModuleType("own_strategies")
        module.Own = kind  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "own_strategies", module)
        return "own_strategies:Own"

    return give


def test_own_strategy_lacking_an_output_is_told_how_to_export(
    drive: Path, runner: Any, tmp_path: Path, own_strategy: Callable[[type], str]
) -> None:
    with pytest.raises(ModelError, match="--emit top2"):
        _run(replace(SMALL, strategy=own_strategy(NeedsMargin)), drive, runner, tmp_path)


def test_score_that_is_not_finite_ends_the_run(
    drive: Path, runner: Any, tmp_path: Path, own_strategy: Callable[[type], str]
) -> None:
    with pytest.raises(DataError, match=r"frame f0: strategy own_strategies:Own.*not finite"):
        _run(replace(SMALL, strategy=own_strategy(NotFinite)), drive, runner, tmp_path)


def test_frame_that_the_model_does_not_take_is_named(drive: Path, runner: Any, tmp_path: Path) -> None:
    def refuse(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raise DataError(f"model.onnx: takes frames of 8x8, got {frame.shape[0]}x{frame.shape[1]}")

    runner.infer = refuse
    with pytest.raises(DataError, match=r"frame f0 of .*drive: model\.onnx: takes frames of 8x8, got 120x160"):
        _run(SMALL, drive, runner, tmp_path)


def test_full_disk_says_what_is_safe(drive: Path, runner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Spool.put
    taken: list[str] = []

    def fill_up(self: Spool, record: Any, blobs: Any) -> bool:
        if len(taken) == 2:
            raise OutputError(f"cannot write {self.path}: No space left on device")
        taken.append(record.frame_id)
        return put(self, record, blobs)

    monkeypatch.setattr(Spool, "put", fill_up)
    with pytest.raises(OutputError, match=r"No space left.*the 2 frames kept before f2 are whole"):
        _run(SMALL, drive, runner, tmp_path)
    assert set(_frames(tmp_path)) == {"f0", "f1"}


def test_dropped_frames_are_not_encoded(
    drive: Path, runner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    png = items._png
    monkeypatch.setattr(items, "_png", lambda image, frame: encoded.append(frame.id) or png(image, frame))
    _run(replace(SMALL, budget_frames=1), drive, runner, tmp_path)
    assert set(encoded) == {"f0", "f1", "f2"}, "each of these was the best so far"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget_frames": 0}, "budget_frames must be 1 or more, got 0"),
        ({"region_share": 0.0}, "region_share must be above 0"),
        ({"region_score": "max"}, "region_score must be sum or mean"),
        ({"superpixel_px": 3}, "superpixel_px must be at least 16"),
        ({"vehicle": "my car"}, "vehicle must be 1 to 64 letters.*'my car'"),
        ({"drive": ""}, "drive must be 1 to 64"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScoreSettings(**options)


def test_settings_come_from_file_and_options(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("strategy: entropy\nregion_share: 0.2\n")
    settings = config.resolve(ScoreSettings, tmp_path / "run.yaml", ["seed=3"], {"strategy": "random", "drive": None})
    assert (settings.strategy, settings.region_share, settings.seed, settings.drive) == ("random", 0.2, 3, "unknown")
    with pytest.raises(ConfigError, match="budget"):
        config.resolve(ScoreSettings, None, ["budget=3"])


def test_ignored_pixels_are_in_no_region(drive: Path, runner: Any, tmp_path: Path) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[:, :80] = 1
    Image.fromarray(mask).save(tmp_path / "hood.png")
    settings = replace(SMALL, ignore_mask=tmp_path / "hood.png", region_share=0.4)
    spool = Spool(tmp_path / "spool")
    score(settings, open_source(str(drive)), runner, spool)
    regions = [region for item in spool.list() for region in item.record.regions]
    assert regions
    assert all(x >= 80 for region in regions for ring in region.polygons for x, _ in ring)


def test_ignore_mask_of_another_size_is_refused(drive: Path, runner: Any, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "hood.png")
    settings = replace(SMALL, ignore_mask=tmp_path / "hood.png")
    with pytest.raises(DataError, match=r"hood\.png: is 10x20, but frame f0 is 120x160; draw it on one of"):
        score(settings, open_source(str(drive)), runner, Spool(tmp_path / "spool"))
