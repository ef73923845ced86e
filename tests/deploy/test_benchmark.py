from __future__ import annotations

import json

import pytest

from edgeseg.deploy import benchmark as module
from edgeseg.deploy.benchmark import BenchSettings, benchmark
from edgeseg.deploy.machine import busy_share, describe_machine, peak_memory_mb
from edgeseg.errors import ConfigError, ModelError, UsageError

LATENCY = ["min", "p50", "p90", "p95", "p99", "max"]


@pytest.fixture(scope="module")
def report(checkpoint, exported):
    settings = BenchSettings(iterations=4, warm_up=1, threads=(1,), sizes=((64, 96),), data="synthetic:2")
    return benchmark([checkpoint, exported], BenchSettings(**{**vars(settings), "data": None}))


def test_rows_have_the_keys_of_the_design(report):
    plain = json.loads(json.dumps(report.to_dict()))
    assert {"machine", "rows"} == plain.keys()
    assert [row["backend"] for row in plain["rows"]] == ["torch", "onnxruntime"]
    for row in plain["rows"]:
        keys = {"model", "backend", "precision", "size", "latency_ms", "throughput_fps", "peak_memory_mb", "miou"}
        assert keys <= row.keys()
        assert row["size"] == "64x96" and row["precision"] == "fp32" and row["threads"] == 1
        assert {"mean", *LATENCY} == row["latency_ms"].keys()


def test_figures_are_in_order_and_parts_are_apart(report):
    for row in report.rows:
        ordered = [row["latency_ms"][key] for key in LATENCY]
        assert ordered == sorted(ordered) and ordered[0] > 0
        assert 0 < row["preprocess_ms"] < row["network_ms"] <= row["latency_ms"]["max"]
        assert row["decode_ms"]["png"] > 0 and row["decode_ms"]["jpg"] > 0
    assert [row["preprocess_by"] for row in report.rows] == ["clock", "runtime profile"]


def test_memory_is_each_rows_own(report):
    torch_row, graph_row = report.rows
    assert 20 < graph_row["peak_memory_mb"] < torch_row["peak_memory_mb"]


def test_table_has_a_row_each(report):
    ((title, columns, rows),) = report.tables()
    assert "cores" in title and len(rows) == 2 and all(len(row) == len(columns) for row in rows)


def test_unreadable_model_ends_with_its_message(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"broken.onnx: onnxruntime cannot load it"):
        benchmark([tmp_path / "broken.onnx"], BenchSettings(iterations=1, warm_up=0))


def test_a_process_that_dies_is_told(monkeypatch, checkpoint):
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: type("Done", (), {"returncode": -9})())
    with pytest.raises(ModelError, match="ended with exit code -9"):
        benchmark([checkpoint], BenchSettings(iterations=1, warm_up=0))


def test_busy_or_unsteady_rows_are_warned_of(monkeypatch, checkpoint):
    row = {"size": "1x1", "variation": 0.5, "threads": 4096}
    monkeypatch.setattr(module, "run_apart", lambda *a: {"row": row})
    monkeypatch.setattr(module, "busy_share", lambda: 0.9)
    found = benchmark([checkpoint]).rows[0]["warnings"]
    assert len(found) == 3
    assert "other processes used 90%" in found[0] and "varies by 50%" in found[1] and "4096 threads" in found[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "--iterations must be at least 1"),
        ({"warm_up": -1}, "--warm-up must not be negative"),
        ({"threads": (0,)}, "--threads must be at least 1"),
        ({"sizes": ((0, 4),)}, "sizes must be positive, got 0x4"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        BenchSettings(**settings)


def test_combinations_that_cannot_run_are_refused_before_anything_is_measured(checkpoint, exported):
    with pytest.raises(UsageError, match="runs by torch, which is not among --backend onnxruntime"):
        benchmark([exported, checkpoint], BenchSettings(backends=("onnxruntime",)))
    with pytest.raises(ConfigError, match="exported for 64x96, which is not among the sizes"):
        benchmark([exported], BenchSettings(sizes=((32, 32),)))
    with pytest.raises(UsageError, match="at least one model"):
        benchmark([])


def test_machine_is_described():
    machine = describe_machine()
    assert machine["usable_cores"] >= 1 and machine["memory_mb"] > 100 and machine["python"] and machine["os"]
    assert "numpy" in machine["packages"]
    assert peak_memory_mb() > 20
    share = busy_share(0.05)
    assert share is None or 0 <= share <= 1
