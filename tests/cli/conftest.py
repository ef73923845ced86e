"""A tiny trained-nowhere model and data, made once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edgeseg import datasets, nets
from edgeseg.deploy import export as exporting
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    class_map = datasets.open("synthetic:2").class_map
    path = tmp_path_factory.mktemp("model") / "tiny.edgeseg"
    save_checkpoint(path, nets.build("enet", class_map.num_classes), ModelInfo("enet", class_map, Preprocess(64, 96)))
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = exporting.export(checkpoint, tmp_path_factory.mktemp("export"), data="synthetic:2#test")
    return Path(report.path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``edgeseg`` as a user would, in an empty folder."""

    def start(*arguments: object, program: tuple[str, ...] = ("-m", "edgeseg")) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *program, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    return start
