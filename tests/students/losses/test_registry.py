from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from edgeseg.errors import ConfigError
from edgeseg.students.losses import ClassWeightedKL, SoftLabelLoss, registry

OWN = """
from torch import nn

class Squared(nn.Module):
    def __init__(self, temperature, t_squared, power=2):
        super().__init__()
        self.temperature, self.power = temperature, power

    def forward(self, logits, soft_labels, mask=None):
        return ((logits / self.temperature).softmax(1) - soft_labels).abs().pow(self.power).mean()

number = 3
def text(temperature, t_squared):
    return "no loss"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "losses_of_a_user.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "losses_of_a_user"


def _weights(weighting: str) -> torch.Tensor:
    return torch.tensor({"enet": [1.0, 2.0, 3.0], "median": [3.0, 2.0, 1.0]}[weighting])


def _build(name: str, **options: Any) -> Any:
    return registry.build(name, 2.0, True, options, _weights)


def test_every_loss_is_built_by_its_name() -> None:
    assert set(registry.names()) == {"forward", "reverse", "class-weighted", "cwd", "pairwise"}
    for name in registry.names():
        loss = _build(name)
        assert isinstance(loss, SoftLabelLoss)
        assert (loss.temperature, loss.scale) == (2.0, 4.0)


@pytest.mark.parametrize(("options", "expected"), [({}, [1, 2, 3]), ({"weighting": "median"}, [3, 2, 1])])
def test_class_weights_follow_the_weighting(options: dict[str, str], expected: list[float]) -> None:
    loss = _build("class-weighted", **options)
    assert isinstance(loss, ClassWeightedKL)
    assert loss.class_weights.tolist() == expected


def test_user_s_own_loss_gets_temperature_and_options(own: str) -> None:
    loss = _build(f"{own}:Squared", power=1)
    assert (loss.temperature, loss.power) == (2.0, 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hinton", {}, "unknown kl_kind 'hinton'; there are forward, reverse, class-weighted, cwd, pairwise, or write"),
        ("forward", {"cell": 2}, "kl_kind forward has no option cell in kl_options; its options are: none"),
        ("pairwise", {"cells": 2}, "kl_kind pairwise has no option cells in kl_options; its options are: cell"),
        ("class-weighted", {"x": 2}, "has no option x in kl_options; its options are: weighting"),
        ("nowhere_at_all:Loss", {}, "kl_kind 'nowhere_at_all:Loss' cannot be imported"),
    ],
)
def test_bad_choice_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        _build(name, **options)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [("number", "is a int, not a class of losses"), ("text", "made a str, not a torch.nn.Module")],
)
def test_user_s_own_that_is_no_loss_is_refused(own: str, attribute: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        _build(f"{own}:{attribute}")
