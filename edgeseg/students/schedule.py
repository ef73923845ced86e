"""The learning rate over the iterations."""

from __future__ import annotations

import math

from edgeseg.students.groups import ScheduleSettings


def rate_factor(settings: ScheduleSettings, iteration: int, total: int, per_epoch: int) -> float:
    """What the base learning rate is multiplied by.

    Warm-up over w iterations: (i + 1) / (w + 1). After it, with progress t = (i - w) / (total - w):
    ``poly`` (1 - t)^power (Liu et al., "ParseNet", 2015), ``cosine`` (1 + cos πt) / 2 (Loshchilov and Hutter,
    "SGDR", 2017), ``constant`` 1.

    Args:
        settings: The schedule.
        iteration: Counted from 0 over the whole training.
        total: Iterations of the whole training.
        per_epoch: Iterations of an epoch.

    Returns:
        Factor in (0, 1].
    """
    warmup = settings.warmup_iterations
    if warmup is None:
        warmup = round(settings.warmup_epochs * per_epoch)
    warmup = min(warmup, total - 1)
    if iteration < warmup:
        return (iteration + 1) / (warmup + 1)
    progress = (iteration - warmup) / (total - warmup)
    if settings.kind == "poly":
        return float((1.0 - progress) ** settings.power)
    if settings.kind == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    return 1.0
