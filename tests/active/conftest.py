from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.active import ActiveSettings

TINY_NET = '''
from torch import nn

from edgeseg.nets.base import SegmentationNet


class Tiny(SegmentationNet):
    """A network that trains in milliseconds and says where its features are."""

    stride = 2

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Conv2d(8, num_classes, 1)

    def outputs(self, images):
        return (self.resize(self.classifier(self.body(images)), images.shape[2:]),)
'''


@pytest.fixture
def tiny_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tiny_net_of_active.py").write_text(TINY_NET)
    monkeypatch.syspath_prepend(tmp_path)
    return "tiny_net_of_active:Tiny"


@pytest.fixture
def make_settings(tiny_net: str) -> Callable[..., ActiveSettings]:
    """Settings of a loop of a second or two: 2 frames of P, 5 of Q, one round of 2; arguments replace or add."""

    def make(*strategies: str, training: dict[str, Any] | None = None, **changes: Any) -> ActiveSettings:
        plain: dict[str, Any] = {
            "data": "synthetic:7",
            "val": "synthetic:2",
            "strategies": strategies,
            "initial": 2,
            "rounds": 1,
            "group": 2,
            "epochs": 1,
            "superpixel_px": 400,
        }
        own = {"network": tiny_net, "height": 32, "width": 48, "batch_size": 2, "workers": 0, "precision": "fp32"}
        return ActiveSettings(training={**own, **(training or {})}, **(plain | changes))

    return make
