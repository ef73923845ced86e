"""Where a frame's time goes: decode, preprocessing, transfer, network, scoring."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.benchmark.figures import median_ms
from edgeseg.deploy.benchmark.loop import ClosedLoop
from edgeseg.deploy.runners.base import StagedRunner
from edgeseg.errors import ModelError
from edgeseg.plugins import import_callable

PROFILED_CALLS = 5
REPEATS = 20
"""At most so many calls of what is not the network."""

Stages = dict[str, Any]
Reasons = dict[str, str]


def stages(runner: StagedRunner, frames: NDArray[np.uint8], loop: ClosedLoop, latency_ms: float) -> Stages:
    """Preprocessing, transfer and network of a closed loop's call.

    The host's clock sees what a runner prepares before its runtime gets the frames. Inside the runtime only the
    runtime itself can tell: by the GPU's own marks (``stage_times``) or by a profile of its nodes
    (``preprocess_share``). What no one can tell is null, with the reason.

    Args:
        runner: What ran.
        frames: (N, H, W, 3) uint8, as in the loop.
        loop: The loop's marks.
        latency_ms: The loop's median, which a profile's shares are applied to.

    Returns:
        ``preprocess_ms``, ``transfer_ms``, ``network_ms``, ``enqueue_ms``, ``preprocess_by``, ``not_measured``.
    """
    found: Stages = {
        "preprocess_ms": median_ms(loop.prepare_ns),
        "transfer_ms": 0.0,
        "network_ms": median_ms(loop.analyse_ns),
        "enqueue_ms": None,
        "preprocess_by": "clock",
        "not_measured": {},
    }
    inside = getattr(getattr(runner, "export", None), "outputs", None) == "graph"
    if hasattr(runner, "stage_times"):
        found |= _by_marks(runner, frames)
    if inside:
        found |= _inside(runner, frames, latency_ms, found)
    return found


def _by_marks(runner: Any, frames: NDArray[np.uint8]) -> Stages:
    prepared = runner.prepare(frames)
    times = [runner.stage_times(prepared) for _ in range(PROFILED_CALLS)]

    def middle(*names: str) -> float:
        return round(float(np.median([sum(getattr(t, name) for name in names) for t in times])), 4)

    return {
        "transfer_ms": middle("upload_ms", "download_ms"),
        "network_ms": middle("network_ms"),
        "enqueue_ms": middle("enqueue_ms"),
    }


def _inside(runner: Any, frames: NDArray[np.uint8], latency_ms: float, found: Stages) -> Stages:
    """Splits a deployed graph, whose preprocessing is part of it."""
    share = runner.preprocess_share(frames, PROFILED_CALLS) if hasattr(runner, "preprocess_share") else None
    if share is None:
        reason = f"inside the graph, and {runner.backend} does not tell its nodes apart; it counts as network"
        return {"preprocess_ms": None, "preprocess_by": None, "not_measured": {"preprocess_ms": reason}}
    return {
        "preprocess_ms": round(share * latency_ms, 4),
        "network_ms": round((1 - share) * latency_ms, 4),
        "preprocess_by": "runtime profile",
    }


def decode(frame: NDArray[np.uint8]) -> dict[str, float]:
    """Median ms to decode a frame (H, W, 3) uint8 from memory, by codec."""
    coded = {codec: cv2.imencode(f".{codec}", frame)[1] for codec in ("png", "jpg")}
    return {codec: _median(partial(cv2.imdecode, data, cv2.IMREAD_COLOR)) for codec, data in coded.items()}


def scoring(
    scorer: str | None, strategy: str, runner: StagedRunner, frames: NDArray[np.uint8]
) -> tuple[float | None, str | None]:
    """Median ms from host outputs to the decision about one frame, or None and the reason.

    Raises:
        ConfigError: The scorer cannot be imported, or the strategy is unknown.
    """
    if scorer is None:
        return None, "no strategy was named; give --strategy"
    make = import_callable(scorer, "scorer", "package.module:function", "a function that makes a frame's scorer")
    outputs: Mapping[str, NDArray[Any]] = {name: array[0] for name, array in runner.infer_batch(frames).items()}
    try:
        score: Any = make(strategy, runner, frames[0])
    except ModelError as error:
        return None, str(error)
    score(outputs)
    return _median(partial(score, outputs)), None


def _median(action: Callable[[], Any], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - start)
        if sum(times) > 5e9:
            break
    return median_ms(np.array(times, np.int64))
