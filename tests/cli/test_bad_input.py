"""Ten kinds of bad input, each as a user meets it: one clear message, and nothing half-written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--size", "32x48", "--epochs", "1", "--batch-size", "2", "--set", "workers=0", "--val", "none")


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Four frames in the SegNet layout."""
    root, rng = tmp_path / "camvid", np.random.default_rng(0)
    for folder in ("train", "trainannot"):
        (root / folder).mkdir(parents=True)
    for index in range(4):
        pixels = rng.integers(0, 256, (32, 48, 3), np.uint8)
        label = rng.integers(0, 12, (32, 48), np.uint8)
        Image.fromarray(pixels).save(root / "train" / f"{index}.png")
        Image.fromarray(label).save(root / "trainannot" / f"{index}.png")
    return root


def one_message(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def no_leftovers(folder: Path) -> None:
    assert not list(folder.rglob("*.partial*")), "something half-written was left behind"


def test_missing_folder(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    one_message(run("train", "enet", "--data", f"camvid:{tmp_path}/nowhere#train", "--out", out), "nowhere")
    assert not out.exists()


def test_empty_split(run: Run, camvid: Path, tmp_path: Path) -> None:
    for folder in ("val", "valannot"):
        (camvid / folder).mkdir()
    out = tmp_path / "run"
    one_message(run("train", "enet", "--data", f"camvid:{camvid}#val", "--out", out), "val")
    assert not out.exists()


def test_corrupt_image(run: Run, camvid: Path, tmp_path: Path) -> None:
    path = camvid / "train" / "2.png"
    path.write_bytes(path.read_bytes()[:500])
    out = tmp_path / "run"
    one_message(run("train", "enet", "--data", f"camvid:{camvid}#train", "--out", out, *QUICK), "2.png")
    assert not out.exists()


def test_wrong_labels(run: Run, camvid: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((32, 48), 77, np.uint8)).save(camvid / "trainannot" / "1.png")
    out = tmp_path / "run"
    one_message(run("train", "enet", "--data", f"camvid:{camvid}#train", "--out", out, *QUICK), "1.png", "77")
    assert not out.exists()


def test_wrong_class_count(run: Run, test_data: Path, tmp_path: Path) -> None:
    net, classes = test_data / "pretrained" / "enet_cityscapes_torch7.net", tmp_path / "classes.yaml"
    rows = "".join(f"- {{name: class{i}, color: [0, 0, {i}], ids: [{i}]}}\n" for i in range(5))
    classes.write_text(f"name: five\nclasses:\n{rows}")
    out = tmp_path / "m.edgeseg"
    done = run("import", net, "--format", "enet-torch7", "--classes", classes, "--out", out)
    one_message(done, "5", "20")
    assert not out.exists()


def test_foreign_checkpoint(run: Run, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.edgeseg"
    foreign.write_bytes(b"PK\x03\x04 some pickle")
    one_message(run("eval", foreign, "--data", "synthetic:2#test"), "foreign.edgeseg")
    one_message(run("export", foreign, "--out", tmp_path / "exported"), "foreign.edgeseg")
    assert not (tmp_path / "exported").exists()


def test_truncated_cache(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "run"
    done = run("cache", "build", "--teacher", f"{checkpoint}:4", "--data", "synthetic:4", "--out", cache)
    assert done.returncode == 0, done.stderr
    frame = next((cache / "frames").glob("*/*/c/*/0/0/0"))
    frame.write_bytes(frame.read_bytes()[:-20])
    one_message(run("cache", "verify", cache), "000")
    distill = ("distill", "enet", "--data", "synthetic:4", "--cache", cache, "--out", out, *QUICK)
    one_message(run(*distill), "000")


def test_unwritable_output(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    one_message(run("export", checkpoint, "--out", blocked / "exported"), "file")
    one_message(run("predict", checkpoint, "synthetic:2#test", "--out", blocked / "maps"), "file")
    one_message(run("train", "enet", "--data", "synthetic:4", "--out", blocked / "run", *QUICK), "file")
    assert blocked.read_text() == "in the way"


def test_full_disk(checkpoint: Path, tmp_path: Path) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    command = [sys.executable, "-m", "edgeseg", "export", checkpoint, "--out", tmp_path / "exported"]
    done = subprocess.run(
        command, preexec_fn=small_files_only, capture_output=True, text=True, timeout=300, check=False
    )
    one_message(done, "cannot write")
    no_leftovers(tmp_path)
    assert not list(tmp_path.rglob("*.onnx"))


def test_interrupted_run_is_told_how_to_go_on(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train = ("train", "enet", "--data", "synthetic:8", "--out", out, *QUICK, "--epochs", "30")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeseg", *map(str, train)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A suite that runs in the background of a shell would hand on that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    one_message(run(*train), "--resume")
    no_leftovers(out)
