"""What trtexec prints, in the forms of TensorRT 8.5 (JetPack 5), 10.3 (JetPack 6) and 11."""

from __future__ import annotations

import pytest

from edgeseg.deploy.benchmark.compare import compare
from edgeseg.deploy.benchmark.report import markdown
from edgeseg.deploy.benchmark.trtexec import parse_trtexec, report_of_log
from edgeseg.errors import DataError, ModelError
from edgeseg.files import digest_file

TIMES = "min = {0} ms, max = {1} ms, mean = {2} ms, median = {3} ms, percentile(90%) = 8.2 ms, percentile(95%) = 8.5 ms"
ORIN_8 = f"""&&&& RUNNING TensorRT.trtexec [TensorRT v8502] # trtexec --onnx=m-fp16.onnx --fp16
[06/10/2024-07:04:39] [I] === Build Options ===
[06/10/2024-07:04:39] [I] Precision: FP32+FP16
[06/10/2024-07:04:39] [I] === Inference Options ===
[06/10/2024-07:04:39] [I] Duration: 3s (+ 200ms warm up)
[06/10/2024-07:04:39] [I] Data transfers: Enabled
[06/10/2024-07:04:39] [I] Spin-wait: Disabled
[06/10/2024-07:04:39] [I] CUDA Graph: Disabled
[06/10/2024-07:04:39] [I] === Device Information ===
[06/10/2024-07:04:39] [I] Selected Device: Orin
[06/10/2024-07:04:39] [I] Compute Capability: 8.7
[06/10/2024-07:04:39] [I] SMs: 16
[06/10/2024-07:04:39] [I]
[06/10/2024-07:04:40] [I] TensorRT version: 8.5.2
[06/10/2024-07:05:39] [I] Average on 10 runs - GPU latency: 7.1 ms - Host latency: 7.8 ms (enqueue 1.8 ms)
[06/10/2024-07:05:39] [I] === Performance summary ===
[06/10/2024-07:05:39] [I] Throughput: 125.5 qps
[06/10/2024-07:05:39] [I] Latency: {TIMES.format(7.5, 9.5, 7.9, 7.8)}, percentile(99%) = 9.1 ms
[06/10/2024-07:05:39] [I] Enqueue Time: {TIMES.format(1.5, 2.5, 1.9, 1.8)}, percentile(99%) = 2.1 ms
[06/10/2024-07:05:39] [I] H2D Latency: {TIMES.format(0.2, 0.5, 0.3, 0.25)}, percentile(99%) = 0.4 ms
[06/10/2024-07:05:39] [I] GPU Compute Time: {TIMES.format(7.0, 9.0, 7.2, 7.1)}, percentile(99%) = 8.8 ms
[06/10/2024-07:05:39] [I] D2H Latency: {TIMES.format(0.3, 0.6, 0.5, 0.45)}, percentile(99%) = 0.5 ms
[06/10/2024-07:05:39] [I] Total Host Walltime: 3.01 s
[06/10/2024-07:05:39] [W] * GPU compute time is unstable, with coefficient of variance = 3.1%.
[06/10/2024-07:05:39] [W]   If not already in use, locking GPU clock frequency or adding --useSpinWait may help.
&&&& PASSED TensorRT.trtexec [TensorRT v8502]
"""
LOADED_10 = (
    ORIN_8.replace("v8502] # trtexec --onnx=m-fp16.onnx --fp16", "v100300] # trtexec --loadEngine=m.plan")
    .replace("[06/10/2024-07:04:39] [I] Precision: FP32+FP16\n", "")
    .replace("[06/10/2024-07:04:40] [I] TensorRT version: 8.5.2\n", "")
    .replace("[W] *", "[I] *")
)
NEW_11 = (
    ORIN_8.replace("v8502", "v110400")
    .replace("TensorRT version: 8.5.2", "TensorRT version: 11.4.0")
    .replace("Data transfers: Enabled", "Data transfers: Disabled")
    .replace("CUDA Graph: Disabled", "CUDA Graph: Enabled")
    .replace("median = 1.8 ms", "median = 6.9 ms")
)
OLD_83 = "[I] Throughput: 1.5 qps\n[I] Latency: min = 634.6 ms, max = 638.1 ms, mean = 636.2 ms\n"
TEGRA = "RAM 1/2MB tj@{0}C VDD_IN {1}mW/4000mW\n"


def test_jetpack_5_is_read():
    found = parse_trtexec(ORIN_8, "log")
    assert (found.tensorrt, found.device, found.compute_capability) == ("8.5.2", "Orin", "8.7")
    assert (found.model, found.precision) == ("m-fp16.onnx", "FP32+FP16")
    assert (found.transfers, found.cuda_graph, found.spin_wait) == (True, False, False)
    assert found.throughput_fps == 125.5
    expected = {"min": 7.5, "max": 9.5, "mean": 7.9, "p50": 7.8, "p90": 8.2, "p95": 8.5, "p99": 9.1}
    assert found.times["latency"] == expected
    assert found.times["download"]["p50"] == 0.45
    assert found.warnings == ("GPU compute time is unstable, with coefficient of variance = 3.1%.",)


def test_version_is_read_from_the_head_where_it_stands_there_alone():
    assert parse_trtexec(LOADED_10, "log").tensorrt == "10.3.0"
    assert parse_trtexec(ORIN_8.replace("TensorRT version: 8.5.2", ""), "log").tensorrt == "8.5.2"
    assert parse_trtexec(LOADED_10.replace("v100300", "v101600"), "log").tensorrt == "10.16.0"


def test_an_engine_that_was_loaded_is_of_unknown_precision(log):
    # The build options that it prints then are not those of the engine.
    log.write_text(ORIN_8.replace("--onnx=m-fp16.onnx --fp16", "--loadEngine=m.plan"))
    (row,) = report_of_log(log).rows
    assert (row["model"], row["precision"]) == ("m.plan", None)
    log.write_text(ORIN_8)
    assert report_of_log(log).rows[0]["precision"] == "fp16"


def test_a_form_that_says_little_leaves_the_rest_open():
    short = "\n".join(line for line in ORIN_8.splitlines() if "Throughput" in line or "] Latency" in line)
    found = parse_trtexec(short, "log")
    assert (found.tensorrt, found.transfers, found.model, set(found.times)) == (None, None, None, {"latency"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", r"log: holds no performance summary of trtexec; keep all it prints: trtexec .*tee log"),
        (OLD_83, "its latency lacks median or percentiles; use trtexec of TensorRT 8.4 or newer"),
    ],
)
def test_a_log_without_figures_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_trtexec(text, "log")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.write_text(ORIN_8)
    return path


def test_report_says_what_it_knows_and_why_it_does_not_know_the_rest(log, tmp_path, exported):
    (tmp_path / "tegra").write_text(TEGRA.format(40, 9000) + TEGRA.format(60, 11000))
    (tmp_path / "mode").write_text("NV Power Mode: MAXN\n0\n")
    report = report_of_log(log, exported, tmp_path / "tegra", tmp_path / "mode")
    (row,) = report.rows
    assert (row["backend"], row["precision"]) == ("tensorrt", "fp32")
    assert row["model_digest"] == digest_file(exported)
    assert (row["size"], row["frame"], row["batch"]) == ("64x96", None, 1)
    assert row["latency_ms"]["p99"] == 9.1 and row["p99_minus_p50_ms"] == pytest.approx(1.3)
    assert (row["transfer_ms"], row["network_ms"], row["enqueue_ms"]) == (0.7, 7.1, 1.8)
    assert row["joules_per_frame"] == pytest.approx(10.0 / 125.5, abs=1e-5)
    assert row["energy"]["hottest_c"] == {"tj": 60.0}
    assert row["conditions"]["before"]["power_mode"] == "MAXN"
    assert (row["throughput_fps"], row["pipelined_fps"]) == (None, 125.5)
    assert {"throughput_fps", "miou", "scoring_ms", "peak_memory_mb"} <= row["not_measured"].keys()
    assert "latency_ms" not in row["not_measured"]
    assert report.machine["jetson"] == {"model": "Jetson Orin", "jetpack": "5", "power_mode": "MAXN"}
    assert any("queues one frame ahead" in text for text in row["warnings"])
    assert "Jetson Orin, JetPack 5 (MAXN)" in report.markdown()
    text = markdown([report], ("Jetson Orin, JetPack 5", "Jetson Orin, JetPack 6"))
    assert "nothing was run on Jetson Orin, JetPack 6" in text
    assert "nothing was run on Jetson Orin, JetPack 5" not in text


def test_transfers_that_were_left_out_are_told(log):
    log.write_text(NEW_11)
    (row,) = report_of_log(log).rows
    assert row["transfer_ms"] is None
    assert any("--includeDataTransfers" in text for text in row["warnings"])
    assert any("--useCudaGraph" in text for text in row["warnings"])


def test_both_sides_of_the_changed_defaults_are_not_compared(log, tmp_path):
    (tmp_path / "new").write_text(NEW_11)
    with pytest.raises(DataError, match=r"timing: trtexec: transfers on, CUDA graph off.* and .*transfers off"):
        compare(report_of_log(log), report_of_log(tmp_path / "new"))


def test_missing_files_are_named(log, tmp_path):
    with pytest.raises(DataError, match=r"none: cannot be read"):
        report_of_log(tmp_path / "none")
    with pytest.raises(ModelError, match=r"m.onnx: no such file; name the .onnx that trtexec was given"):
        report_of_log(log, tmp_path / "m.onnx")
    (tmp_path / "other.onnx").write_bytes(b"no graph of ours")
    with pytest.raises(ModelError, match=r"other.onnx: has no seal"):
        report_of_log(log, tmp_path / "other.onnx")
