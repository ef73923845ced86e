from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.cluster.node import absolute_data
from edgeseg.datasets import parse_spec
from edgeseg.teachers import CacheSettings
from edgeseg.teachers.engines.places import absolute_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("rest", ["data", "data#train", "a#b#", "a#b#val", "data#train@1/4"])
def test_data_keep_their_split(folder: Path, rest: str) -> None:
    layout, path, split = parse_spec(f"camvid:{rest}")
    assert parse_spec(absolute_data(f"camvid:{rest}")) == (layout, str(folder / path), split)


def test_absolute_paths_and_drawn_frames_stay() -> None:
    assert absolute_data("camvid:/data/camvid#val") == "camvid:/data/camvid#val"
    assert absolute_data("synthetic:60#train") == "synthetic:60#train"


def test_files_of_teachers_become_absolute_and_factories_stay(folder: Path) -> None:
    settings = CacheSettings(
        ("runs/a.edgeseg:3", "b.onnx:2.5", "package.module:factory:4"),
        "camvid:c#train",
        teacher_weights=(Path("w.safetensors"),),
        teacher_classes=(Path("/classes.yaml"),),
    )
    found = absolute_files(settings)
    assert found.teachers == (f"{folder}/runs/a.edgeseg:3.0", f"{folder}/b.onnx:2.5", "package.module:factory:4.0")
    assert found.teacher_weights == (folder / "w.safetensors",) and found.teacher_classes == (Path("/classes.yaml"),)
    assert found.data == f"camvid:{folder}/c#train"
