from __future__ import annotations

import copy

import pytest

from edgeseg.deploy.benchmark.compare import CONDITIONS, MACHINE, compare
from edgeseg.deploy.benchmark.report import BenchReport, markdown, unmeasured_row
from edgeseg.errors import ConfigError, DataError
from edgeseg.report.pareto import points_of

STATE = {"governor": "performance", "power_mode": None, "clocks_locked": None}


def row(model="net.onnx", p50=10.0, **changes):
    latency = {"min": p50, "mean": p50, "p50": p50, "p90": p50 + 1, "p95": p50 + 2, "p99": p50 + 3, "max": p50 + 4}
    known = {
        "model": f"/somewhere/{model}",
        "backend": "onnxruntime",
        "precision": "fp32",
        "size": "512x1024",
        "frame": "1024x2048",
        "frames_from": "D",
        "threads": 1,
        "batch": 1,
        "strategy": "entropy",
        "miou_images": 5,
        "latency_ms": latency,
        "p50_interval_ms": [p50 - 0.1, p50 + 0.1],
        "p99_minus_p50_ms": 3.0,
        "throughput_fps": 1000 / p50,
        "miou": 0.55,
        "decode_ms": {"jpg": 1.0, "png": 2.0},
        "conditions": {"before": STATE, "after": STATE},
    }
    missing = dict.fromkeys(("joules_per_frame",), "no meter")
    return {**unmeasured_row("", None, ""), **known, "not_measured": missing, **changes}


def report(*rows, **machine):
    known = {"cpu": "a processor", "usable_cores": 2, "cpu_limit": None, "os": "Linux", "gpus": [], "virtual": False}
    return BenchReport(2, {**known, "jetson": None, **machine}, rows)


def test_like_conditions_are_compared():
    found = compare(report(row(p50=10.0)), report(row(p50=8.0, miou=0.54)))
    (pair,) = found.pairs
    assert (pair.p50_ms, pair.p99_ms, pair.speedup, pair.told_apart) == ((10.0, 8.0), (13.0, 11.0), 1.25, True)
    assert pair.joules_per_frame == (None, None) and found.allowed == {} and found.unpaired == ()
    columns, ((*cells, gain),) = found.table()
    assert gain == "-1.00" and "10 → 8" in cells and len(columns) == len(cells) + 1
    assert found.to_dict()["pairs"][0]["speedup"] == 1.25


def test_medians_within_each_others_interval_are_not_told_apart():
    assert compare(report(row(p50=10.0)), report(row(p50=10.15))).pairs[0].told_apart is False


def test_what_is_compared_may_differ():
    found = compare(report(row("a.onnx")), report(row("b.engine", backend="tensorrt", precision="fp16")))
    assert (found.pairs[0].a, found.pairs[0].b) == ("a.onnx onnxruntime fp32", "b.engine tensorrt fp16")


def test_rows_are_paired_by_model_and_conditions():
    a = report(*(row(f"{name}.onnx", p50, threads=t) for name, p50, t in (("x", 1.0, 1), ("y", 2.0, 1), ("x", 3.0, 2))))
    b = report(*(row(f"{name}.onnx", p50, threads=t) for name, p50, t in (("x", 30.0, 2), ("y", 20.0, 1))))
    found = compare(a, b)
    assert sorted(pair.p50_ms for pair in found.pairs) == [(2.0, 20.0), (3.0, 30.0)]
    assert found.unpaired == ("x.onnx onnxruntime fp32",)


DIFFERENT = {
    **{key: ("machine", key) for key in MACHINE},
    **{key: ("state", key) for key in STATE},
    **{key: ("row", key) for key in ("size", "frame", "frames_from", "batch", "threads", "strategy", "miou_images")},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_unlike_conditions_are_refused_by_name_and_can_be_allowed(name):
    where, key = DIFFERENT[name]
    other = copy.deepcopy(row())
    if where == "state":
        other["conditions"]["before"] = {**STATE, key: "other"}
    if where == "row":
        other[key] = "other"
    b = report(other, **({key: "other"} if where == "machine" else {}))
    condition = "machine" if where == "machine" else key
    message = rf"not measured under like conditions \({condition}: .*other\).*--allow {condition}"
    with pytest.raises(DataError, match=message):
        compare(report(row()), b)
    assert list(compare(report(row()), b, (condition,)).allowed) == [condition]


def test_trtexec_is_not_compared_with_a_closed_loop():
    with pytest.raises(DataError, match=r"timing: None and trtexec: transfers on"):
        compare(report(row()), report(row(timing="trtexec: transfers on")))


def test_several_rows_of_other_models_are_not_guessed_at():
    a, b = report(row("x.onnx"), row("y.onnx")), report(row("v.onnx"), row("w.onnx"))
    with pytest.raises(DataError, match="several rows of like conditions and none of the same model"):
        compare(a, b)


def test_empty_reports_and_unknown_conditions_are_refused():
    with pytest.raises(DataError, match="one of the reports has no rows"):
        compare(report(), report(row()))
    with pytest.raises(ConfigError, match=f"--allow colour: choose from {', '.join(CONDITIONS)}"):
        compare(report(row()), report(row()), ("colour",))


def test_a_row_that_was_never_measured_says_so_cell_by_cell():
    text = markdown([report(row())], ("Jetson Orin", "a processor"))
    rows = [line for line in text.splitlines() if line.startswith("| Jetson Orin")]
    assert len(rows) == 2
    for line in rows:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[:6] == ["Jetson Orin", "net", "–", "fp32", "–", "–"]
        assert set(cells[6:]) == {"not measured"}
    assert "- latency_ms: nothing was run on Jetson Orin" in text
    assert not any(line.startswith("| a processor |") for line in text.splitlines())


def test_warnings_stand_below_the_table():
    assert "net.onnx by onnxruntime on a processor, 2 cores: hot" in markdown([report(row(warnings=["hot"]))])


def test_points_are_the_rows_that_have_both():
    rows = [row(), row("no-labels.onnx", miou=None), unmeasured_row("never.engine", "tensorrt", "no GPU")]
    (point,) = points_of([report(*rows).to_dict()])
    assert (point.name, point.latency_ms, point.spread_ms, point.miou) == (
        "net onnxruntime, 1 thread",
        10.0,
        3.0,
        0.55,
    )
