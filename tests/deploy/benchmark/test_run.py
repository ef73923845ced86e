from __future__ import annotations

import json

import pytest

from edgeseg.deploy.benchmark import BenchSettings, benchmark
from edgeseg.deploy.benchmark import run as module
from edgeseg.deploy.benchmark.report import MEASURED, read_report
from edgeseg.deploy.machine import OthersLoad, busy_share, describe_machine, peak_memory_mb
from edgeseg.errors import ConfigError, DataError, MissingDependencyError, ModelError, UsageError

LATENCY = ["min", "p50", "p90", "p95", "p99", "max"]
SCORER = "edgeseg.device.rehearsal:rehearsal"


@pytest.fixture(scope="module")
def report(checkpoint, exported):
    settings = BenchSettings(
        iterations=4, warm_up=1, warm_up_limit_s=0.2, threads=(1,), sizes=((64, 96),), scorer=SCORER, strategy="entropy"
    )
    return benchmark([checkpoint, exported], settings)


def test_rows_have_the_keys_of_the_design(report):
    plain = json.loads(json.dumps(report.to_dict()))
    assert {"machine", "rows"} <= plain.keys()
    assert [row["backend"] for row in plain["rows"]] == ["torch", "onnxruntime"]
    for row in plain["rows"]:
        keys = {"model", "backend", "precision", "size", "latency_ms", "throughput_fps", "peak_memory_mb", "miou"}
        assert keys <= row.keys()
        assert row["size"] == "64x96" and row["precision"] == "fp32" and row["threads"] == 1
        assert {"mean", *LATENCY} == row["latency_ms"].keys()


def test_figures_are_in_order_and_parts_are_apart(report):
    for row in report.rows:
        latency = row["latency_ms"]
        ordered = [latency[key] for key in LATENCY]
        assert ordered == sorted(ordered) and ordered[0] > 0
        assert row["p99_minus_p50_ms"] == pytest.approx(latency["p99"] - latency["p50"], abs=1e-3)
        assert row["p50_interval_ms"][0] <= latency["p50"] <= row["p50_interval_ms"][1]
        assert 0 < row["preprocess_ms"] < row["network_ms"] <= latency["max"]
        assert row["decode_ms"]["png"] > 0 and row["decode_ms"]["jpg"] > 0
        assert row["scoring_ms"] > 0 and row["strategy"] == "entropy"
        assert (row["transfer_ms"], row["enqueue_ms"]) == (0.0, None)
        assert row["throughput_fps"] > 0 and row["pipelined_fps"] > 0
    assert [row["preprocess_by"] for row in report.rows] == ["clock", "runtime profile"]


def test_whatever_was_not_measured_says_why(report):
    for row in report.rows:
        nulls = {
            key for key in MEASURED if row[key] is None and key not in ("device_memory_mb", "enqueue_ms", "energy")
        }
        assert nulls == row["not_measured"].keys()
        assert row["not_measured"]["miou"] == "needs labels; give --data"


def test_conditions_stand_before_and_after(report):
    for row in report.rows:
        assert row["conditions"].keys() == {"before", "after"}
        for state in row["conditions"].values():
            assert {"cpu_mhz", "temperature_c", "power_mode", "gpu", "governor"} <= state.keys()


def test_memory_is_each_rows_own(report):
    torch_row, graph_row = report.rows
    assert 20 < graph_row["peak_memory_mb"] < torch_row["peak_memory_mb"]


def test_table_has_a_column_each(report):
    ((title, columns, rows),) = report.tables()
    assert "cores" in title and len(columns) == 3 and all(len(row) == 3 for row in rows)
    told = {row[0]: row[1:] for row in rows}
    assert told["mIoU"] == ("not measured", "not measured")
    assert told["p50 ms"] == tuple(row["latency_ms"]["p50"] for row in report.rows)


def test_saved_report_is_the_same(report, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_dict()))
    assert read_report(path).to_dict() == report.to_dict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such report"),
        ("{", "is no JSON"),
        ('{"rows": []}', r"is no benchmark report of format 2 \(found: None\)"),
        ("[]", r"found: None"),
        ('{"format": 2, "rows": [1]}', "lacks machine or rows"),
    ],
)
def test_file_that_is_no_report_is_refused(tmp_path, content, message):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_report(path)


def test_unreadable_model_ends_with_its_message(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"broken.onnx: onnxruntime cannot load it"):
        benchmark([tmp_path / "broken.onnx"], BenchSettings(iterations=1, warm_up=0))


def test_a_process_that_dies_is_told(monkeypatch, checkpoint):
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: type("Done", (), {"returncode": -9})())
    with pytest.raises(ModelError, match="ended with exit code -9"):
        benchmark([checkpoint], BenchSettings(iterations=1, warm_up=0))


def without(backends):
    """Stands for ``run_apart`` on a machine that lacks these runtimes."""

    def measured(job, start):
        if job.backend in backends:
            return {"error": ["MissingDependencyError", f"{job.backend} is not here"]}
        return {"row": {"model": job.model, "backend": job.backend, "size": "1x1"}}

    return measured


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(module, "busy_share", lambda: 0.0)
    monkeypatch.setattr(module, "warnings", lambda row: [])


def test_a_runtime_that_is_missing_leaves_its_cells_unmeasured(monkeypatch, quiet, checkpoint, exported):
    monkeypatch.setattr(module, "run_apart", without({"torch"}))
    first, second = benchmark([checkpoint, exported]).rows
    assert second["backend"] == "onnxruntime"
    assert first["latency_ms"] is None
    assert first["not_measured"] == dict.fromkeys(MEASURED, "torch is not here")


def test_a_machine_that_can_measure_nothing_says_so(monkeypatch, quiet, checkpoint, exported):
    monkeypatch.setattr(module, "run_apart", without({"torch", "onnxruntime"}))
    with pytest.raises(MissingDependencyError, match="torch is not here"):
        benchmark([checkpoint, exported])


def test_a_runtime_without_a_file_of_its_own_leaves_a_row_unmeasured(monkeypatch, quiet, exported):
    monkeypatch.setattr(module, "run_apart", without(set()))
    rows = benchmark([exported], BenchSettings(backends=("onnxruntime", "tensorrt"))).rows
    assert [row["backend"] for row in rows] == ["onnxruntime", "tensorrt"]
    why = rows[1]["not_measured"]["latency_ms"]
    assert why.startswith("tensorrt runs .engine files, and none was named; build one")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "--iterations must be at least 1"),
        ({"warm_up": -1}, "--warm-up must not be negative"),
        ({"warm_up_limit_s": 0.0}, "--warm-up-limit must be above 0 seconds"),
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
    with pytest.raises(ConfigError, match="--backend tvm: choose from onnxruntime"):
        benchmark([exported], BenchSettings(backends=("tvm",)))
    with pytest.raises(ConfigError, match="exported for 64x96, which is not among the sizes"):
        benchmark([exported], BenchSettings(sizes=((32, 32),)))
    with pytest.raises(UsageError, match="at least one model"):
        benchmark([])


def test_machine_is_described():
    machine = describe_machine()
    assert machine["usable_cores"] >= 1 and machine["memory_mb"] > 100 and machine["python"] and machine["os"]
    assert "numpy" in machine["packages"]
    assert peak_memory_mb() > 20
    load = OthersLoad()
    share = busy_share(0.05)
    assert share is None or 0 <= share <= 1
    others = load.share()
    assert others is None or 0 <= others <= 1.05
