"""Models that may run, and models that are swapped while frames go on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.device.agent import watched
from edgeseg.device.agent.models import AllowedModels, ModelSlot
from edgeseg.device.agent.watched import WatchedFile
from edgeseg.errors import ConfigError, ModelError

IMAGE = np.zeros((60, 80, 3), np.uint8)


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOKS_EVERY_S", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"first")
    return file


@pytest.fixture
def slot(path: Path, make_runner: Callable[..., Any]) -> ModelSlot:
    """Opens a runner whose digest is the file's content; content that begins with "bad" cannot be opened."""

    def opened(file: Path) -> Any:
        content = file.read_text()
        if content.startswith("bad"):
            raise ModelError(f"{file}: is damaged")
        runner = make_runner()
        runner.digest = content
        return runner

    return ModelSlot(path, opened)


def replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".new")
    partial.write_bytes(content)
    partial.replace(path)


def go_on(slot: ModelSlot, until: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not until() and time.monotonic() < give_up:
        slot.between_frames(IMAGE)
        time.sleep(0.002)
    assert until()


def test_new_model_takes_the_old_ones_place(slot: ModelSlot, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = slot.runner
    for _ in range(5):
        assert not slot.between_frames(IMAGE)
    replace(path, b"second")
    go_on(slot, lambda: slot.swaps == 1)
    assert slot.runner is not old and slot.runner.digest == "second" and slot.refused == 0
    assert "the new model second runs from now on" in capsys.readouterr().err


def test_old_model_stays_when_the_new_one_cannot_run(
    slot: ModelSlot, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = slot.runner
    replace(path, b"bad")
    go_on(slot, lambda: slot.refused == 1)
    assert slot.runner is old
    for _ in range(20):
        slot.between_frames(IMAGE)
    assert slot.refused == 1, "the same file is not tried again"
    assert "was replaced by a model that cannot run, so the old one stays" in capsys.readouterr().err
    replace(path, b"third")
    go_on(slot, lambda: slot.swaps == 1)


def test_new_model_is_checked_and_tried_before_it_runs(slot: ModelSlot, path: Path) -> None:
    def refuse(runner: Any) -> None:
        raise ModelError("it lacks entropy")

    slot.checks = (refuse,)
    replace(path, b"second")
    go_on(slot, lambda: slot.refused == 1)
    slot.checks = ()
    tried: list[int] = []
    opened = slot._open

    def breaks(file: Path) -> Any:
        runner = opened(file)
        runner.infer = lambda frame: tried.append(1) or 1 / 0  # type: ignore[func-returns-value, method-assign]
        return runner

    slot._open = breaks
    replace(path, b"another")
    go_on(slot, lambda: slot.refused == 2)
    assert tried and slot.runner.digest == "first"


def test_file_that_is_still_being_written_is_left_alone(path: Path) -> None:
    looked_at = WatchedFile(path)
    for size in range(1, 6):
        path.write_bytes(b"x" * size)
        assert not looked_at.has_changed()
    assert looked_at.has_changed()
    assert not looked_at.has_changed()
    path.unlink()
    assert not looked_at.has_changed() and not looked_at.has_changed()


def test_model_on_the_list_may_run_and_no_other(path: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"first").hexdigest()
    listed = tmp_path / "allowed.txt"
    listed.write_text(f"# models of the fleet\n{'0' * 64}  old.onnx\n{digest.upper()}  model.onnx\n\n")
    for given in ([digest], [str(listed)], ["1" * 64, str(listed)], []):
        AllowedModels.parse(given).check(path)
    path.write_bytes(b"altered")
    with pytest.raises(ModelError, match=r"model\.onnx: its SHA-256 [0-9a-f]{64} is not on the list"):
        AllowedModels.parse([str(listed)]).check(path)
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        AllowedModels.parse([digest]).check(path)


def test_list_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is neither a SHA-256 nor a file of them"):
        AllowedModels.parse(["abc"])
    (tmp_path / "list").write_text("student.onnx\n")
    with pytest.raises(ConfigError, match=r"'student\.onnx' is no SHA-256"):
        AllowedModels.parse([str(tmp_path / "list")])
