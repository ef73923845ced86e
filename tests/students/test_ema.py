from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeseg.students.ema import MovingAverage


def _net(value: float) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.fill_(value)
    return net


def _set(net: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.fill_(value)


def test_constant_weights_give_the_geometric_series() -> None:
    net = _net(0.0)
    average = MovingAverage(net, 0.9)
    _set(net, 1.0)
    for iteration in range(1000, 1010):  # past the ramp
        average.update(iteration)
    averaged = average.net.state_dict()
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        assert averaged[name].item() == pytest.approx(1 - 0.9**10, rel=1e-5), name


def test_ramp_forgets_the_start() -> None:
    net = _net(0.0)
    average = MovingAverage(net, 0.999)
    _set(net, 1.0)
    average.update(0)
    assert average.net.state_dict()["0.weight"].item() == pytest.approx(0.9)


def test_counters_are_copied() -> None:
    net = _net(0.0)
    average = MovingAverage(net, 0.9)
    _set(net, 7.0)
    average.update(0)
    assert average.net.state_dict()["1.num_batches_tracked"].item() == 7


def test_average_is_in_evaluation_mode_and_takes_no_gradient() -> None:
    average = MovingAverage(_net(0.0).train(), 0.9)
    assert not average.net.training
    assert not any(p.requires_grad for p in average.net.parameters())
