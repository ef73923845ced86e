"""One frame scored again and again, for the benchmark: what the vehicle's loop does from host outputs to decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners.base import Runner
from edgeseg.device import strategies
from edgeseg.device.regions import choose
from edgeseg.device.strategies import StrategyOptions
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
from edgeseg.frames import Frame


def rehearsal(strategy: str, runner: Runner, image: NDArray[np.uint8]) -> Callable[[Mapping[str, NDArray[Any]]], None]:
    """Makes what scores a frame and chooses its regions, with the options that ``score`` has by default.

    Args:
        strategy: As ``edgeseg score --strategy`` takes it.
        runner: The model.
        image: (H, W, 3) uint8 RGB.

    Raises:
        ConfigError: The strategy is unknown.
        ModelError: The model lacks an output that the strategy reads.
    """
    options = StrategyOptions()
    made = strategies.build(strategy, options)
    strategies.require_readable(runner, made, strategy)
    frame = Frame(image, "rehearsal", 0, None, "benchmark")

    def score(outputs: Mapping[str, NDArray[Any]]) -> None:
        view = FrameView(frame, outputs, runner.info, infer=runner.infer, masked=maskable(runner))
        verdict = made.score(view)
        choose(verdict.labels, verdict.region_values, options.region_share)

    return score
