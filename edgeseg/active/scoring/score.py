"""One frame of Q before a strategy of the vehicle."""

from __future__ import annotations

import math

import numpy as np

from edgeseg.active.pool import Pool
from edgeseg.deploy.runners.base import Runner
from edgeseg.device.strategies import FrameScore, Strategy
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
from edgeseg.errors import DataError


def view_of(pool: Pool, runner: Runner, superpixel_px: int, index: int) -> FrameView:
    """A frame of the pool with what the model says of it; pixels asked for before count as not wanted."""
    frame = pool.frame(index)
    outputs = runner.infer(frame.image)
    return FrameView(frame, outputs, runner.info, superpixel_px, runner.infer, pool.asked(index), maskable(runner))


def checked_score(name: str, strategy: Strategy, view: FrameView) -> FrameScore:
    """A strategy's verdict.

    Raises:
        DataError: It is not finite.
    """
    verdict = strategy.score(view)
    if not (math.isfinite(verdict.value) and np.isfinite(verdict.region_values).all()):
        raise DataError(f"frame {view.frame.id}: strategy {name} gave a score that is not finite")
    return verdict
