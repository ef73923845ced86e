"""The whole loop as a service: what is written, counted and told of a drive that is not as it should be."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeseg.device.agent import watched
from edgeseg.device.agent.agent import AgentSettings
from edgeseg.device.agent.health import HealthSettings
from edgeseg.device.agent.intake import IntakeSettings
from edgeseg.device.agent.models import ModelSlot
from edgeseg.device.score import score
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.device.spool.reader import SpoolReader
from edgeseg.errors import ConfigError, DataError
from edgeseg.frames import open_source

QUICK = ScoreSettings(strategy="entropy", superpixel_px=300)


@pytest.fixture
def run(drive: Path, tmp_path: Path) -> Callable[..., ScoreReport]:
    def scored(model: Any, **options: Any) -> ScoreReport:
        with Spool(tmp_path / "spool") as spool:
            settings = replace(QUICK, agent=AgentSettings(**options))
            return score(settings, open_source(str(drive)), model, spool)

    return scored


def test_black_frames_are_kept_counted_or_left_out(drive: Path, runner: Any, run: Callable[..., ScoreReport]) -> None:
    Image.new("RGB", (160, 120)).save(drive / "f2.png")
    report = run(runner)
    assert (report.frames, report.kept, report.unfit, report.troubles) == (6, 6, 0, {"black": 1})
    report = run(runner, health=HealthSettings(drop_unfit=True))
    assert (report.frames, report.kept, report.dropped, report.unfit) == (6, 5, 1, 1)


def test_frames_of_another_size_than_the_models_are_left_out(
    drive: Path, runner: Any, run: Callable[..., ScoreReport]
) -> None:
    runner.export = SimpleNamespace(frame=(120, 160))
    Image.new("RGB", (80, 60), (90, 90, 90)).save(drive / "f3.png")
    report = run(runner)
    assert (report.frames, report.kept, report.unfit, report.troubles) == (6, 5, 1, {"size": 1})
    runner.export = SimpleNamespace(frame=(10, 10))
    with pytest.raises(DataError, match=r"no frame is of 10x10, which the model was exported for.*--frame"):
        run(runner)


def test_what_is_written_is_blurred_and_says_so(
    drive: Path, runner: Any, run: Callable[..., ScoreReport], tmp_path: Path
) -> None:
    run(runner, blur=("d", "c:box"))
    for item in SpoolReader(tmp_path / "spool").list():
        path = item.blob("image")
        assert path is not None and item.record.blurred == ("d", "c:box")
        shown = np.asarray(Image.open(path))
        taken = np.asarray(Image.open(drive / f"{item.record.frame_id}.png"))
        assert (shown[40:72, 60:100] == shown[41:73, 61:101]).mean() > 0.8, "class d, at the middle, is flat"
        assert (shown[:20] == taken[:20]).all()


def test_blur_of_a_class_that_the_model_lacks_ends_before_anything_is_written(
    runner: Any, run: Callable[..., ScoreReport]
) -> None:
    with pytest.raises(ConfigError, match="--blur face: the model has no such class"):
        run(runner, blur=("face",))


def test_record_says_where_and_on_which_drive(runner: Any, run: Callable[..., ScoreReport], tmp_path: Path) -> None:
    (tmp_path / "context.yaml").write_text("drive: night-2\n")
    run(runner, context=str(tmp_path / "context.yaml"), place="52.5,13.4")
    record = SpoolReader(tmp_path / "spool").list()[0].record
    assert (record.vehicle, record.drive, record.clock) == ("unknown", "night-2", "unknown")
    assert record.place is not None and record.place.latitude_deg == 52.5


def test_frames_that_come_while_the_agent_is_busy_are_counted(runner: Any, run: Callable[..., ScoreReport]) -> None:
    infer, busy = runner.infer, threading.Event()
    runner.infer = lambda frame: busy.wait(0.1) or infer(frame)
    report = run(runner, intake=IntakeSettings(rate=100, buffer=1))
    assert report.frames == 6 and report.late >= 2
    assert report.kept + report.late == 6 and report.dropped == report.late


def test_model_is_swapped_between_two_frames(
    drive: Path, run: Callable[..., ScoreReport], make_runner: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(watched, "LOOKS_EVERY_S", 0.0)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"1")
    pace = threading.Event()

    def opened(file: Path) -> Any:
        runner = make_runner()
        runner.digest = file.read_text() * 64
        infer = runner.infer

        def replacing(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
            if runner.calls == 1 and runner.digest[0] == "1":
                (tmp_path / "new").write_bytes(b"2")
                (tmp_path / "new").replace(path)
            pace.wait(0.05)
            return dict(infer(frame))

        runner.infer = replacing
        return runner

    with closing(ModelSlot(path, opened)) as slot:
        report = run(slot)
    assert (report.frames, report.kept, report.model_swaps) == (6, 6, 1)
    digests = {item.record.frame_id: item.record.model_digest[0] for item in SpoolReader(tmp_path / "spool").list()}
    assert [digests[f"f{n}"] for n in range(6)] == sorted(digests.values())
    assert digests["f0"] == "1" and digests["f5"] == "2" and report.model_digest[0] == "2"


def test_log_and_metrics_tell_of_the_run(
    runner: Any, run: Callable[..., ScoreReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.device.agent import agent

    served: list[str] = []

    class Asked(agent.Metrics):
        def close(self) -> None:
            address = f"http://127.0.0.1:{self.port}/metrics"
            served.append(urllib.request.urlopen(address, timeout=5).read().decode())
            super().close()

    monkeypatch.setattr(agent, "Metrics", Asked)
    run(runner, log=str(tmp_path / "agent.log"), metrics="0", live=True)
    lines = [json.loads(line) for line in (tmp_path / "agent.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", *["frame"] * 6, "stopped"]
    assert lines[0]["model"] == runner.digest
    assert {line["item_id"] for line in lines[1:-1]} == set(SpoolReader(tmp_path / "spool").ids())
    assert lines[-1]["scored"] == 6 and lines[-1]["kept"] == 6
    assert 'edgeseg_frames_total{outcome="kept"} 6.0' in served[0]


def test_log_tells_why_a_run_ended(runner: Any, run: Callable[..., ScoreReport], tmp_path: Path) -> None:
    def refuse(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raise DataError("it broke")

    runner.infer = refuse
    with pytest.raises(DataError):
        run(runner, log=str(tmp_path / "agent.log"))
    last = json.loads((tmp_path / "agent.log").read_text().splitlines()[-1])
    assert (last["event"], last["level"]) == ("stopped", "error") and "it broke" in last["error"]


def test_signal_ends_a_camera_that_goes_on_for_ever(runner: Any, tmp_path: Path, camera: Any) -> None:
    infer = runner.infer

    def interrupted(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        if runner.calls == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return dict(infer(frame))

    runner.infer = interrupted
    with Spool(tmp_path / "spool") as spool:
        report = score(QUICK, open_source(camera.url, reconnect=True), runner, spool)
    assert report.interrupted and report.kept == 7 and report.reconnects >= 1
    assert SpoolReader(tmp_path / "spool").verify().problems == ()
    records = [item.record for item in SpoolReader(tmp_path / "spool").list()]
    assert all("hunter22" not in record.to_json() for record in records)
    assert all(record.captured_at is not None for record in records)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur_probability": 0.0}, "blur_probability must be above 0"),
        ({"place": "here"}, "--place 'here': write LATITUDE,LONGITUDE"),
        ({"metrics": "x"}, "--metrics 'x': write a port"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AgentSettings(**options)
