"""Exponential moving average of a network: the weights that are validated and saved."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


def tensorflow_ramp(iteration: int) -> float:
    """(1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage with ``num_updates``."""
    return (1 + iteration) / (10 + iteration)


class MovingAverage:
    """Average of weights and batch-norm statistics: e ← d·e + (1 - d)·w after each iteration.

    In iteration n, counted from 0, d = min(decay, ramp(n)), so that the random start is soon forgotten. Tensors of
    integers are copied.

    Args:
        net: The network that is trained; the average starts as its copy.
        decay: Limit of d, in [0, 1).
        ramp: Its rise.
    """

    def __init__(self, net: nn.Module, decay: float, ramp: Callable[[int], float] = tensorflow_ramp) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay, self._ramp = decay, ramp
        self._averaged, self._copied = _pairs(self.net, net)

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Takes in the trained network's state after an iteration, counted from 0 over the whole training."""
        decay = min(self.decay, self._ramp(iteration))
        torch._foreach_lerp_(*self._averaged, 1.0 - decay)
        for mine, theirs in zip(*self._copied, strict=True):
            mine.copy_(theirs)


def _pairs(
    mine: nn.Module, theirs: nn.Module
) -> tuple[tuple[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]]:
    """(averaged, copied), each as two lists of tensors that share memory with the networks."""
    pairs = list(zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True))
    averaged = [pair for pair in pairs if pair[0].is_floating_point()]
    copied = [pair for pair in pairs if not pair[0].is_floating_point()]
    return ([a for a, _ in averaged], [b for _, b in averaged]), ([a for a, _ in copied], [b for _, b in copied])
