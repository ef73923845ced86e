"""``edgeseg train`` and ``edgeseg distill`` with unlabeled frames: options reach the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgeseg import students
from edgeseg.cli import app
from edgeseg.students import TrainResult


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Settings that the commands hand over; nothing is trained."""
    found: list[Any] = []

    def record(settings: Any, out: Path, resume: bool = False) -> TrainResult:
        found.append(settings)
        return TrainResult(out / "best.edgeseg", out / "last.edgeseg", 1, None)

    monkeypatch.setattr(students, "train", record)
    monkeypatch.setattr(students, "distill", record)
    return found


def _run(*words: str) -> None:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_train_takes_unlabeled_frames_and_their_settings(seen: list[Any]) -> None:
    parts = ("--set", "semi.classmix=off", "--set", "semi.tail_classes=[pole, sign]")
    _run("train", "enet", "--data", "camvid:d#train@1/8", "--unlabeled", "camvid:d#train@~1/8", "--out", "o", *parts)
    assert seen[0].unlabeled == "camvid:d#train@~1/8"
    assert seen[0].semi.classmix == "off" and seen[0].semi.tail_classes == ("pole", "sign")


def test_distill_takes_a_second_cache(seen: list[Any]) -> None:
    caches = ("--cache", "c", "--unlabeled-cache", "c2")
    _run("distill", "enet", "--data", "camvid:d", "--unlabeled", "folder:e", *caches, "--out", "o")
    assert (seen[0].unlabeled, seen[0].unlabeled_cache) == ("folder:e", Path("c2"))
