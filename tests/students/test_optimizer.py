from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeseg import nets
from edgeseg.students.groups import OptimizerSettings
from edgeseg.students.optimizer import build_optimizer, set_rate


def _net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.ConvTranspose2d(4, 2, 2), nn.Linear(2, 2)
    )


@pytest.mark.parametrize("kind", ["sgd", "adamw", "adam"])
def test_only_convolution_and_linear_weights_decay(kind: str) -> None:
    net = _net()
    optimizer = build_optimizer(OptimizerSettings(kind=kind, weight_decay=0.1), net)  # type: ignore[arg-type]
    decaying = {id(p) for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    everything = [p for g in optimizer.param_groups for p in g["params"]]
    assert decaying == {id(net[0].weight), id(net[3].weight), id(net[4].weight)}
    assert len(everything) == len(list(net.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    net = _net()
    net[1].requires_grad_(False)
    optimizer = build_optimizer(OptimizerSettings(), net)
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(net.parameters())) - 2


def test_sgd_step_is_the_formula() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    optimizer = build_optimizer(OptimizerSettings("sgd", 1.0, 0.9, False, 0.5), layer)
    set_rate(optimizer, 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    # v1 = 1 + 0.5·1, w1 = 1 - 0.1·v1; v2 = 0.9·v1 + 1 + 0.5·w1, w2 = w1 - 0.1·v2
    assert layer.weight.item() == pytest.approx(0.85 - 0.1 * (0.9 * 1.5 + 1 + 0.5 * 0.85))


def test_backbone_learns_at_its_factor_of_the_rate() -> None:
    net = nets.build("icnet", 3, backbone="resnet18")
    optimizer = build_optimizer(OptimizerSettings(backbone_factor=0.25), net)
    set_rate(optimizer, 0.1)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    for name, parameter in net.named_parameters():
        assert rates[id(parameter)] == pytest.approx(0.025 if name.startswith("backbone.") else 0.1), name
