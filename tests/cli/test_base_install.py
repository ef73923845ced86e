"""What the design lists as torch-free runs to its end where only the base install and a runtime are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg.deploy.tensorrt.driver import probe_driver

BASE_ONLY = (str(Path(__file__).with_name("base_only.py")),)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def report(run: Run) -> Callable[..., dict]:
    def call(*arguments: object) -> dict:
        done = run(*arguments, "--json", program=BASE_ONLY)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_eval_of_an_exported_model_needs_no_torch(report: Callable[..., dict], exported: Path) -> None:
    found = report("eval", exported, "--data", "synthetic:2#test")
    assert found["images"] == 2
    assert 0 <= found["miou"] <= 1


def test_predict_of_an_exported_model_needs_no_torch(
    report: Callable[..., dict], exported: Path, tmp_path: Path
) -> None:
    assert report("predict", exported, "synthetic:2#test", "--out", tmp_path / "maps")["frames"] == 2
    assert len(list((tmp_path / "maps").rglob("*_classes.png"))) == 2


def test_score_and_spool_need_no_torch(report: Callable[..., dict], exported: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    found = report("score", "synthetic:3#test", "--model", exported, "--strategy", "superpixel", "--spool", spool)
    assert (found["frames"], found["kept"], found["dropped"]) == (3, 3, 0)
    assert len(report("spool", "list", spool)["items"]) == 3
    assert report("spool", "info", spool)["items"] == 3
    report("spool", "verify", spool)


def test_upload_needs_no_torch(report: Callable[..., dict], exported: Path, tmp_path: Path) -> None:
    spool, fleet = tmp_path / "spool", tmp_path / "fleet"
    report("score", "synthetic:2#test", "--model", exported, "--strategy", "entropy", "--spool", spool)
    found = report("upload", spool, "--to", fleet)
    assert (found["sent"], found["failed"]) == (2, 0)
    assert len([path for path in (fleet / "records").rglob("*") if path.is_file()]) == 2
    assert report("spool", "info", spool)["items"] == 0


def test_policy_replay_needs_no_torch(report: Callable[..., dict], exported: Path, tmp_path: Path) -> None:
    trace, budget = tmp_path / "drive.jsonl", ("--budget-frames", "1800/h")
    scored = report("policy", "replay", "synthetic:4#test", "--model", exported, "--trace", trace, *budget)
    assert (scored["frames"], scored["allowed"]) == (4, {"frames": 2})
    again = report("policy", "replay", trace, *budget)
    assert (again["frames"], again["allowed"], again["kept"]) == (4, {"frames": 2}, scored["kept"])


def test_bench_of_an_exported_model_needs_no_torch(report: Callable[..., dict], exported: Path) -> None:
    rows = report("bench", exported, "--size", "64x96", "--iterations", 3, "--warm-up-limit", 1)["rows"]
    assert rows[0]["backend"] == "onnxruntime"


def test_doctor_needs_no_torch(report: Callable[..., dict]) -> None:
    choices = {choice["suffix"]: choice for choice in report("doctor")["choices"]}
    assert choices[".onnx"]["ready"]
    assert "edgeseg[train]" in choices[".edgeseg"]["why"]


def test_an_engine_where_there_is_no_gpu_is_one_message(run: Run, exported: Path, tmp_path: Path) -> None:
    if probe_driver() is not None:
        pytest.skip("this machine has a GPU")
    done = run("export", exported, "--tensorrt", "--out", tmp_path / "out", program=BASE_ONLY)
    assert done.returncode == 1
    assert "building an engine needs an NVIDIA GPU" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_exporting_a_graph_again_is_refused(run: Run, exported: Path, tmp_path: Path) -> None:
    done = run("export", exported, "--out", tmp_path / "out", program=BASE_ONLY)
    assert done.returncode == 2
    assert "is exported already; give --tensorrt" in done.stderr


def test_an_engine_for_a_camera_of_unknown_size_is_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    done = run("export", checkpoint, "--tensorrt", "--out", tmp_path / "out", program=BASE_ONLY)
    assert done.returncode == 2
    assert "--tensorrt wants to know the camera's size: give --frame HxW" in done.stderr


def test_data_check_needs_no_torch(report: Callable[..., dict]) -> None:
    assert report("data", "check", "synthetic:2")["problems"] == []


def test_a_command_that_needs_torch_names_the_extra(run: Run) -> None:
    done = run("nets", program=BASE_ONLY)
    assert done.returncode == 1
    assert "pip install 'edgeseg[train]'" in done.stderr


def test_help_answers_at_once_since_it_loads_nothing_that_computes() -> None:
    code = """
import sys
from edgeseg.cli import app

try:
    app(["--help"], prog_name="edgeseg")
finally:
    packages = {name.partition(".")[0] for name in sys.modules}
    print(*sorted(packages - set(sys.stdlib_module_names)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: edgeseg" in done.stdout
    loaded = set(done.stderr.split())
    assert "typer" in loaded and not loaded & {"torch", "numpy", "cv2", "onnxruntime", "pydantic", "sqlalchemy", "yaml"}
