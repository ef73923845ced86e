"""The main job, command by command, as the README has it, on drawn frames; and the JSON keys that others rely on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--size", "32x48", "--epochs", "1", "--batch-size", "2", "--set", "workers=0", "--val", "none")


@pytest.fixture
def report(run: Run) -> Callable[..., dict]:
    def call(*arguments: object) -> dict:
        done = run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_the_main_job_from_labels_to_flagged_frames(report: Callable[..., dict], tmp_path: Path) -> None:
    teacher = report("train", "erfnet", "--data", "synthetic:4", "--out", tmp_path / "erfnet", *QUICK)["best"]
    cache = tmp_path / "cache"
    built = report("cache", "build", "--teacher", f"{teacher}:3", "--data", "synthetic:4", "--out", cache)
    assert built == report("cache", "info", cache)
    assert {"frames", "bytes", "bytes_per_frame", "teachers", "fingerprint"} <= built.keys()
    checked = report("cache", "verify", cache, "--data", "synthetic:4", "--teacher", f"{teacher}:3", "--frames", "2")
    assert {"frames", "kl_nats", "kl_p99", "argmax_agreement", "flip_kl_nats", "bad"} <= checked.keys()
    assert checked["argmax_agreement"] > 0.99

    distill = ("distill", "enet", "--data", "synthetic:4", "--cache", cache, "--out", tmp_path / "enet")
    student = report(*distill, "--student-temperature", "5", "--kl-weight", "0.2", *QUICK)["best"]
    found = report("eval", student, "--data", "synthetic:2#test")
    assert {"miou", "miou_union", "iou", "pixel_accuracy", "ece", "images"} <= found.keys()

    exported = report("export", student, "--out", tmp_path / "deploy", "--data", "synthetic:2#test")["path"]
    row = report("bench", exported, "--iterations", "3", "--warm-up", "1", "--warm-up-limit", "1")["rows"][0]
    assert {"model", "backend", "precision", "size", "latency_ms", "throughput_fps", "peak_memory_mb", "miou"} <= set(
        row
    )
    assert set(row["latency_ms"]) == {"min", "mean", "p50", "p90", "p95", "p99", "max"}

    spool = tmp_path / "spool"
    kept = report("score", "synthetic:6#drive", "--model", exported, "--budget-frames", "2", "--spool", spool)
    assert {"frames", "kept", "dropped", "timing_ms", "spool"} <= kept.keys()
    assert (kept["frames"], kept["kept"], kept["dropped"]) == (6, 2, 4)
    assert {"decode", "network", "scoring", "total"} <= kept["timing_ms"].keys()
    assert {"items", "bytes", "pending", "uploaded", "evicted"} <= report("spool", "info", spool).keys()


def test_import_reads_a_published_network(report: Callable[..., dict], test_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "enet.edgeseg"
    network = test_data / "pretrained" / "enet_cityscapes_torch7.net"
    assert len(report("import", network, "--format", "enet-torch7", "--out", out)["classes"]) == 19
    assert out.exists()


def test_nets_shows_that_icnet_runs_only_its_first_stages_at_half_size(report: Callable[..., dict]) -> None:
    rows = {(row["name"], *row["options"].values()): row for row in report("nets", "--size", "256x512")["networks"]}
    branches = rows["icnet", "resnet50"]["branch_gflops"]
    assert branches["half"] < branches["half_deep_skipped"]


def test_settings_from_file_and_command_line_meet(run: Run, tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "run"
    config.write_text("data: synthetic:4\nval: none\nepochs: 9\nworkers: 0\nheight: 32\nwidth: 48\n")
    done = run("train", "enet", "--config", config, "--set", "epochs=1", "--batch-size", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    written = (out / "config.yaml").read_text()
    assert "epochs: 1\n" in written
    assert "batch_size: 2\n" in written


def test_an_unknown_setting_is_a_usage_error_that_names_it(run: Run, tmp_path: Path) -> None:
    done = run("train", "enet", "--data", "synthetic:4", "--set", "epoch=1", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "epoch" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_size_of_another_form_is_a_usage_error(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    done = run("export", checkpoint, "--size", "512,1024", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "HxW" in done.stderr
