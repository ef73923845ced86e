"""Σ_c w_c D_c, D_c = p_t log(p_t / p_s) − p_t + p_s, each class's share of Σ_c p_t log(p_t / p_s).

The generalised divergence of Csiszár ("Why least squares and maximum entropy?", Annals of Statistics 19, 1991). On the
processor one compiled pass over logits and soft labels gives value and gradient, where torch's operators take a dozen;
elsewhere they are torch's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.students.losses.soft_label_loss import Targets


def divergence(logits: Tensor, temperature: float, targets: Targets, class_weights: Tensor) -> Tensor:
    """Sums the divergence over the pixels that count.

    Args:
        logits: (N, C, h, w) float32 of the student; p_s is their softmax at the temperature.
        temperature: T.
        targets: p_t, once normalised.
        class_weights: w (C,) float32.

    Returns:
        () float32, nats.
    """
    if logits.device.type == "cpu" and logits.numel():
        total: Tensor = _Compiled.apply(logits, temperature, targets, class_weights)
        return total
    return by_operators(logits, temperature, targets, class_weights)


def by_operators(logits: Tensor, temperature: float, targets: Targets, class_weights: Tensor) -> Tensor:
    """As ``divergence``, by torch's operators, on any device."""
    teacher = targets.normalized()
    log_student = functional.log_softmax(logits / temperature, dim=1)
    log_teacher = teacher.clamp_min(torch.finfo(torch.float32).tiny).log()
    shares = teacher * (log_teacher - log_student) - teacher + log_student.exp()
    return (class_weights[:, None, None] * targets.counted[:, None] * shares).sum()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, temperature: float, targets: Targets, class_weights: Tensor) -> Tensor:
        from edgeseg.students.losses.divergence_kernel import diverge

        gradient = torch.empty_like(logits)
        arrays = [t.detach().numpy() for t in (logits, targets.probs, targets.mass, targets.counted, gradient)]
        weights = class_weights.numpy()

        def one(image: int) -> float:
            z, probs, mass, counted, slope = (array[image] for array in arrays)
            return float(diverge(z, np.float32(1 / temperature), probs, mass, counted, weights, slope))

        threads = min(torch.get_num_threads(), len(logits))
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                total = sum(pool.map(one, range(len(logits))))
        else:
            total = sum(map(one, range(len(logits))))
        ctx.save_for_backward(gradient)
        return logits.new_tensor(total)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None, None
