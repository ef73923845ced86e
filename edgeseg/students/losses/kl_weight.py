"""λ, the weight of the KL term: fixed or held at a ratio to the cross-entropy, and its way over the training."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from edgeseg.students.reduction import average_over_processes

Schedule = Literal["constant", "linear", "cosine"]
AVERAGED_ITERATIONS = 20
"""Iterations that the means of ``auto`` look back: enough against the noise of batches, few enough to keep up."""
MOST = 1e4
"""Bound of λ under ``auto``, for a student that agrees with its teacher exactly."""


class KLWeight(nn.Module):
    """λ = λ₀ · s(t), t the progress of the training from 0 to 1.

    λ₀ is the number given. With ``auto`` it is r · E[CE] / E[KL], so that λ₀ · E[KL] = r · E[CE]: "to bring the KL
    term to the size of CE" (Kasarla 2019, section 4.2.2) with r = 1, whatever temperature, kind and reduction.
    E is an exponential mean over about ``AVERAGED_ITERATIONS`` iterations, of all of them at first; no gradient
    flows through it. An iteration with a term of 0 (no labeled pixel) leaves it as it is.

    s(t) is 1 for ``constant``, 1 - t for ``linear``, (1 + cos πt) / 2 for ``cosine``.

    The means are buffers, so that a resumed training goes on with them.

    Args:
        weight: λ₀, or ``auto``.
        ratio: r of ``auto``.
        schedule: s.
    """

    mean_ce: Tensor
    mean_kl: Tensor
    updates: Tensor

    def __init__(
        self, weight: float | Literal["auto"] = 0.0, ratio: float = 1.0, schedule: Schedule = "constant"
    ) -> None:
        super().__init__()
        self.weight, self.ratio, self.schedule = weight, ratio, schedule
        self.factor = 1.0
        for name in ("mean_ce", "mean_kl", "updates"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float32))

    def set_progress(self, progress: float) -> None:
        """Moves along the schedule; ``progress`` is the share of the iterations that are done, in [0, 1]."""
        if self.schedule == "linear":
            self.factor = 1.0 - progress
        elif self.schedule == "cosine":
            self.factor = 0.5 * (1.0 + math.cos(math.pi * progress))

    def forward(self, ce: Tensor | None, kl: Tensor) -> Tensor:
        """λ of this iteration, which counts from now on.

        Args:
            ce: () the weighted cross-entropy, None without.
            kl: () the KL term.

        Returns:
            () float32, without gradient.
        """
        if self.weight != "auto":
            return torch.full_like(kl.detach(), self.weight * self.factor)
        assert ce is not None, "auto compares with a cross-entropy"
        self._take_in(torch.stack((ce.detach(), kl.detach())).float())
        return self.factor * (self.ratio * self.mean_ce / self.mean_kl.clamp_min(1e-12)).clamp_max(MOST)

    def _take_in(self, terms: Tensor) -> None:
        terms = average_over_processes(terms)  # the same λ in all
        usable = (terms.isfinite() & (terms > 0)).all()
        self.updates += usable
        rate = usable / self.updates.clamp(1, AVERAGED_ITERATIONS)
        terms = terms.nan_to_num(0.0, 0.0, 0.0)
        self.mean_ce.lerp_(terms[0], rate)
        self.mean_kl.lerp_(terms[1], rate)
