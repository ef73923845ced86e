"""Sums over the processes of a training; a process alone finds its own numbers unchanged, and nothing is sent.

A loss is a mean over pixels, and the processes' parts of a batch have different numbers of pixels that count: the mean
of their means would be another number than the mean over the whole batch. ``shared_mean`` therefore divides each
process's sum by the average of all weights. The average of the results over the processes is then exactly the loss of
the whole batch, and the average of their gradients, which DDP takes, exactly its gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def processes() -> int:
    """How many train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


@torch.no_grad()
def sum_over_processes(value: Tensor) -> Tensor:
    """Adds a tensor of equal shape in every process up, without gradient."""
    if processes() == 1:
        return value
    total = value.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def average_over_processes(value: Tensor) -> Tensor:
    """Averages a tensor of equal shape in every process, without gradient."""
    return value if processes() == 1 else sum_over_processes(value) / processes()


def shared_mean(total: Tensor, weight: Tensor, least: float = 1.0) -> Tensor:
    """This process's part of a weighted mean over the whole batch; the parts' average is that mean.

    Args:
        total: () Σ w·x over this process's part of the batch.
        weight: () Σ w over it; no gradient flows through it.
        least: The weight of the whole batch is raised to this, so that a batch where nothing counts gives 0.

    Returns:
        () total · P / Σ_processes weight, P the number of processes.
    """
    return total * processes() / sum_over_processes(weight).clamp_min(least)


def gather_from_processes(values: Tensor) -> Tensor:
    """Gives every process the values of all: (...) to (P, ...), with gradient."""
    others = processes()
    if others == 1:
        return values[None]
    # A sum in which each process fills its own row: all_gather's gradient needs what gloo has not.
    own = torch.zeros(others, *[1] * values.ndim, dtype=values.dtype, device=values.device)
    own[distributed.get_rank()] = 1
    rows: Tensor = _Sum.apply(own * values)
    return rows


class _Sum(torch.autograd.Function):
    """A sum over the processes, whose gradient is the sum of what they send back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return sum_over_processes(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return sum_over_processes(gradient)
