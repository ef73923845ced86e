from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.images import write_png
from edgeseg.students import TrainSettings

SIZE = (32, 48)
TRAIN, VAL = 7, 2
TINY_NET = '''
from torch import nn

class Tiny(nn.Sequential):
    """Everything that a resumed run could forget: batch-norm statistics, dropout, slopes."""

    def __init__(self, num_classes):
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.PReLU(8), nn.Dropout2d(0.1),
            nn.Conv2d(8, num_classes, 3, padding=1),
        )
'''


def _write(folder: Path, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(count):
        blocks = rng.integers(0, 4, (4, 6)).astype(np.uint8)
        label = np.kron(blocks, np.ones((8, 8), np.uint8))
        image = np.stack([label * 60, 255 - label * 40, label * 20 + 50], 2) + rng.integers(0, 9, (*SIZE, 3))
        label[0] = 11  # void
        write_png(folder / f"{folder.name}{number}.png", image.astype(np.uint8))
        write_png(folder.with_name(folder.name + "annot") / f"{folder.name}{number}.png", label)


@pytest.fixture
def camvid(tmp_path: Path) -> str:
    """Spec, without split, of a miniature dataset of coloured blocks: 7 training and 2 validation frames of 32×48."""
    root = tmp_path / "camvid"
    _write(root / "train", TRAIN, 1)
    _write(root / "val", VAL, 2)
    return f"camvid:{root}"


@pytest.fixture
def tiny_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a network that trains in milliseconds; subprocesses find it too."""
    (tmp_path / "tiny_net_of_students.py").write_text(TINY_NET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "tiny_net_of_students:Tiny"


@pytest.fixture
def train_settings(camvid: str, tiny_net: str) -> Callable[..., TrainSettings]:
    """Makes settings of a training of less than a second; keyword arguments replace or add."""

    def make(**changes: Any) -> TrainSettings:
        plain: dict[str, Any] = {
            "data": f"{camvid}#train",
            "val": f"{camvid}#val",
            "network": tiny_net,
            "batch_size": 3,
            "epochs": 2,
            "workers": 0,
            "precision": "fp32",
        }
        return TrainSettings(**(plain | changes))

    return make
