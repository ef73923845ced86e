"""What the agent tells of itself: metrics by Prometheus' own parser, the log as JSON, the screen as text."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from edgeseg.device.agent.journal import Journal
from edgeseg.device.agent.metrics import Metrics, parse_address
from edgeseg.device.agent.screen import draw, histogram
from edgeseg.device.agent.status import FrameReport, Status
from edgeseg.device.spool import SpoolInfo
from edgeseg.errors import ConfigError, MissingDependencyError, OutputError
from edgeseg.progress import listening, say, warn


def a_status() -> Status:
    status = Status("camera:0", "d" * 12, "entropy", lambda: SpoolInfo(3, 4_000_000, 2, 7, 1))
    for number in range(10):
        kept = "a" * 64 if number % 2 else None
        parts = {"network": 40.0 + number, "scoring": 5.0}
        status.add(FrameReport(f"f{number}", float(number), kept, frozenset(), 50.0 + number, parts))
    status.add(FrameReport("f10", None, None, frozenset({"black"}), 1.0, {}))
    status.troubles["black"] += 1
    status.late = 4
    return status


def test_metrics_are_what_prometheus_reads() -> None:
    status = a_status()
    metrics = Metrics("0", status)
    for _, report in status.recent:
        metrics.add(report)
    text = urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=5).read().decode()
    metrics.close()
    samples = {
        (s.name, *sorted(s.labels.values())): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }
    outcomes = {outcome: samples["edgeseg_frames_total", outcome] for outcome in ("kept", "dropped", "late", "unfit")}
    assert outcomes == {"kept": 5, "dropped": 5, "late": 4, "unfit": 1}
    assert samples["edgeseg_troubles_total", "black"] == 1
    assert samples["edgeseg_frame_seconds_count", "network"] == 10
    assert samples["edgeseg_frame_seconds_sum", "network"] == pytest.approx(0.445)
    assert samples["edgeseg_frame_seconds_count", "total"] == 11
    assert samples["edgeseg_frame_score_sum",] == 45
    assert samples["edgeseg_spool_items", "pending"] == 2 and samples["edgeseg_spool_bytes",] == 4e6
    assert samples["edgeseg_resident_bytes",] > 1e6


def test_address_that_is_taken_or_malformed_is_told() -> None:
    status = a_status()
    metrics = Metrics("127.0.0.1:0", status)
    with pytest.raises(OutputError, match=r"--metrics .*: cannot be served .*name another port"):
        Metrics(str(metrics.port), status)
    metrics.close()
    assert parse_address("0.0.0.0:9400") == ("0.0.0.0", 9400)
    for text in ("port", "a:b", "99999"):
        with pytest.raises(ConfigError, match="write a port, or HOST:PORT"):
            parse_address(text)


def test_missing_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeseg\[vehicle\]'"):
        Metrics("0", a_status())


def test_log_is_one_json_object_a_line_without_secrets(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "logs" / "agent.log"))
    with listening(journal.message):
        warn("rtsp://root:hunter22@camera/1: is lost")
        say("it is back")
    say("nobody listens any more")
    journal.write("frame", score=float("nan"), troubles=frozenset({"size", "black"}))
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "logs" / "agent.log").read_text().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("message", "warning"),
        ("message", "info"),
        ("frame", "info"),
    ]
    assert "hunter22" not in lines[0]["text"] and "rtsp://camera/1" in lines[0]["text"]
    assert lines[2]["score"] is None and lines[2]["troubles"] == ["black", "size"]
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"--log .*cannot be written"):
        Journal(str(tmp_path / "file" / "agent.log"))


def test_screen_shows_rates_scores_decisions_spool_and_upload() -> None:
    console = Console(width=120, record=True, quiet=True)
    console.quiet = False
    with console.capture() as capture:
        console.print(draw(a_status()))
    text = capture.get()
    for part in (
        "camera:0",
        "10 scored, 4 late",
        "5 kept, 5 dropped, 1 unfit",
        "3 items, 4.0 MB",
        "2 wait, 7 uploaded",
    ):
        assert part in text
    assert "black 1" in text and "█" in text


def test_histogram_spans_the_values() -> None:
    assert histogram([]) == ""
    text = histogram([0.0] * 10 + [1.0])
    assert text.startswith("0 █") and text.endswith("▁ 1")
