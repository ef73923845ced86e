from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgeseg.errors import ConfigError
from edgeseg.nets.checkpoint import load_checkpoint
from edgeseg.students import TrainSettings, train
from edgeseg.students.compiling import forward_of
from edgeseg.students.groups import OptimizerSettings

Make = Callable[..., TrainSettings]


def test_without_compiling_the_network_itself_is_called() -> None:
    net = nn.Conv2d(3, 2, 1)
    assert forward_of(net, compiled=False) is net


def test_compiled_training_gives_the_same_network(train_settings: Make, tmp_path: Path) -> None:
    """Equal up to rounding, dropout included: losses to 1e-4, weights, under their plain names, to 1e-5."""
    for name, compiled in (("plain", False), ("compiled", True)):
        # Adam would blow the rounding errors of vanishing gradients up to whole steps.
        train(train_settings(compile=compiled, optimizer=OptimizerSettings("sgd")), tmp_path / name)
    plain, compiled_ = (load_checkpoint(tmp_path / n / "last.edgeseg").net.state_dict() for n in ("plain", "compiled"))
    assert all(torch.allclose(plain[key], compiled_[key], atol=1e-5) for key in plain)
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("plain", "compiled")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_missing_compiler_is_told_with_the_cure(
    train_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch._inductor.config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    torch._dynamo.reset()
    with (
        torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(ConfigError, match=r"cannot be compiled here .*; set compile=off"),
    ):
        train(train_settings(compile=True), tmp_path / "run")
