from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from edgeseg import nets
from edgeseg.errors import ConfigError, ModelError

MODULE = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, num_classes, form="tensor"):
        super().__init__()
        self.form = form
        self.conv = nn.Conv2d(3, num_classes, 3, stride=4, padding=1)
    def forward(self, images):
        logits = self.conv(images)
        return {"tensor": logits, "tuple": (logits, logits), "mapping": {"out": logits}, "text": "logits"}[self.form]

class Resettable(Tiny):
    def reset_head(self, num_classes):
        self.conv = nn.Conv2d(3, num_classes, 3, stride=4, padding=1)

def fixed():
    return Tiny(6)

def wrong():
    return 3

value = 5
"""


@pytest.fixture(autouse=True)
def user_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_nets.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_nets", raising=False)


@pytest.mark.parametrize("form", ["tensor", "tuple", "mapping"])
def test_users_network_gives_logits_at_the_input_size(form: str) -> None:
    net = nets.build("their_nets:Tiny", 4, form=form)
    assert net(torch.rand(2, 3, 33, 47)).shape == (2, 4, 33, 47)
    assert net.num_classes == 4
    assert net.aux_weights == ()


def test_users_network_without_num_classes_is_called_without_it() -> None:
    assert nets.build("their_nets:fixed", 6)(torch.rand(1, 3, 8, 8)).shape == (1, 6, 8, 8)


def test_users_network_of_another_class_count_is_refused() -> None:
    with pytest.raises(ModelError, match=r"shape \(1, 6, 2, 2\).*does it have 5 classes"):
        nets.build("their_nets:fixed", 5)(torch.rand(1, 3, 8, 8))


def test_users_network_without_logits_is_refused() -> None:
    with pytest.raises(ModelError, match="returned a str without logits"):
        nets.build("their_nets:Tiny", 5, form="text")(torch.rand(1, 3, 8, 8))


def test_users_network_replaces_its_own_head() -> None:
    net = nets.build("their_nets:Resettable", 5)
    net.reset_head(2)
    assert net(torch.rand(1, 3, 8, 8)).shape == (1, 2, 8, 8)
    with pytest.raises(ModelError, match=r"Tiny has no reset_head\(num_classes\)"):
        nets.build("their_nets:Tiny", 5).reset_head(2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet", r"unknown network 'unet'; there are deeplabv3, deeplabv3plus, enet, erfnet, icnet"),
        ("no_such_package:make", "'no_such_package:make' cannot be imported"),
        ("their_nets:missing", "'their_nets:missing' cannot be imported"),
        ("their_nets:value", "is a int, not a callable"),
        ("their_nets:wrong", "returned a int, not a torch.nn.Module"),
    ],
)
def test_name_that_gives_no_network_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        nets.build(name, 5)


def test_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'enet' has no option depth; its options are: layout, dropout"):
        nets.build("enet", 5, depth=3)
