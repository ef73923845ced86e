"""``edgeseg bench`` and its words, in one process, since what they print is what counts here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgeseg.cli import app
from edgeseg.deploy.benchmark import run as bench_run
from edgeseg.deploy.benchmark.report import unmeasured_row
from edgeseg.errors import DataError

STATE = dict.fromkeys(
    (
        *("cpu_mhz", "governor", "temperature_c", "power_mode", "clocks_locked", "gpu", "throttle_events"),
        *("quota_waits", "stolen_s"),
    )
)


def invoke(*words: object) -> str:
    done = CliRunner().invoke(app, ["bench", *map(str, words)])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without measuring."""

    def row(job: object, start: object) -> dict:
        latency = dict.fromkeys(("min", "mean", "p50", "p90", "p95", "p99", "max"), 10.0)
        known = {"latency_ms": latency, "size": "64x96", "threads": 1, "miou": 0.5, "iterations": 100, "variation": 0.0}
        state = {"conditions": {"before": STATE, "after": STATE}, "p99_minus_p50_ms": 0.0, "others_share": 0.0}
        row = {**unmeasured_row(job.model, job.backend, "no"), **known, **state, "steady": True}
        return {"row": row}

    monkeypatch.setattr(bench_run, "run_apart", row)
    monkeypatch.setattr(bench_run, "busy_share", lambda: 0.0)


def test_a_model_is_measured_without_a_further_word(exported: Path, tmp_path: Path) -> None:
    out, text, plot = tmp_path / "a.json", tmp_path / "a.md", tmp_path / "a.svg"
    plain = json.loads(invoke(exported, "--out", out, "--markdown", text, "--plot", plot, "--json"))
    assert plain == json.loads(out.read_text())
    assert "| p50 ms |" in text.read_text() and plot.read_text().startswith("<?xml")


def test_options_may_come_first(exported: Path) -> None:
    assert len(json.loads(invoke("--backend", "onnxruntime,openvino", "--threads", 1, exported, "--json"))["rows"]) == 2


def test_reports_are_compared_and_put_into_tables(exported: Path, tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    invoke(exported, "--out", a)
    invoke(exported, "--out", b)
    assert json.loads(invoke("compare", a, b, "--json"))["pairs"][0]["speedup"] == 1.0
    assert "1.000×" in invoke("compare", a, b)
    assert "| Jetson Orin | tiny-fp32 |" in invoke("table", a, b, "--target", "Jetson Orin")
    assert len(json.loads(invoke("table", a, b, "--json"))["reports"]) == 2
    invoke("table", a, "--markdown", tmp_path / "t.md", "--plot", tmp_path / "t.png")
    assert (tmp_path / "t.md").exists() and (tmp_path / "t.png").exists()


def test_unlike_reports_are_refused(exported: Path, tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    invoke(exported, "--out", a)
    plain = json.loads(a.read_text())
    plain["machine"]["cpu"] = "another"
    b.write_text(json.dumps(plain))
    with pytest.raises(DataError, match=r"machine: cpu .* and another"):
        invoke("compare", a, b)
    assert json.loads(invoke("compare", a, b, "--allow", "machine", "--json"))["allowed"].keys() == {"machine"}


def test_trtexecs_output_becomes_a_report(tmp_path: Path) -> None:
    times = "min = 1 ms, max = 3 ms, mean = 2 ms, median = 2 ms, percentile(99%) = 3 ms"
    (tmp_path / "log").write_text(f"[I] Throughput: 500 qps\n[I] Latency: {times}\n")
    row = json.loads(invoke("trtexec", tmp_path / "log", "--json"))["rows"][0]
    assert row["latency_ms"]["p50"] == 2.0 and row["latency_ms"]["p90"] is None
