"""The calls that are timed: warm-up until steady, one frame at a time, and frames as quickly as they are taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners.base import StagedRunner

WINDOW = 5
"""Calls whose median is held against that of as many before."""
STEADY = 0.05
"""Relative difference of two windows' medians below which the latency is called steady."""


@dataclass(frozen=True)
class WarmUp:
    """What warming up took.

    Attributes:
        calls: Calls made.
        seconds: Time they took.
        steady: Whether the latency had settled; None where no warm-up was asked for.
    """

    calls: int
    seconds: float
    steady: bool | None


@dataclass(frozen=True)
class ClosedLoop:
    """Marks of a closed loop.

    Attributes:
        prepare_ns: (N,) int64, a call's preprocessing on the host.
        analyse_ns: (N,) int64, the rest of it.
        wall_s: From the first call's begin to the last one's end.
    """

    prepare_ns: NDArray[np.int64]
    analyse_ns: NDArray[np.int64]
    wall_s: float


def warm_up(call: Callable[[], Any], at_least: int, limit_s: float) -> WarmUp:
    """Calls until two windows in turn take the same time, or the time is up.

    Args:
        call: What is warmed up.
        at_least: Fewest calls; 0 makes none.
        limit_s: Seconds after which it ends in any case.
    """
    if at_least == 0:
        return WarmUp(0, 0.0, None)
    start, times, steady = time.perf_counter(), [], False
    while time.perf_counter() - start < limit_s:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
        steady = is_steady(times)
        if len(times) >= at_least and steady:
            break
    return WarmUp(len(times), round(time.perf_counter() - start, 3), steady)


def is_steady(times: list[float]) -> bool:
    """Whether the last window's median is that of the window before it, within ``STEADY``."""
    if len(times) < 2 * WINDOW:
        return False
    last, before = np.median(times[-WINDOW:]), np.median(times[-2 * WINDOW : -WINDOW])
    return bool(abs(last - before) <= STEADY * before)


def closed_loop(runner: StagedRunner, frames: NDArray[np.uint8], iterations: int) -> ClosedLoop:
    """One call after the other, as a camera's loop makes them; ``frames`` (N, H, W, 3) uint8."""
    size = (frames.shape[1], frames.shape[2])
    marks = np.empty((iterations, 3), np.int64)
    for mark in marks:
        mark[0] = time.perf_counter_ns()
        prepared = runner.prepare(frames)
        mark[1] = time.perf_counter_ns()
        runner.analyse(prepared, size)
        mark[2] = time.perf_counter_ns()
    wall_s = float(marks[-1, 2] - marks[0, 0]) / 1e9
    return ClosedLoop(marks[:, 1] - marks[:, 0], marks[:, 2] - marks[:, 1], wall_s)


def pipelined(runner: StagedRunner, frames: NDArray[np.uint8], iterations: int) -> tuple[float, str]:
    """Frames a second when the next frame is worked on beside the last.

    A runner that has ``stream`` (``PipelinedRunner``) is given all frames at once; any other has the next frame
    prepared in a second thread while its network runs.

    Returns:
        Frames a second, and how: ``stream`` or ``prepared beside``.
    """
    stream = getattr(runner, "stream", None)
    start = time.perf_counter()
    if stream is not None:
        count = sum(1 for _ in stream(repeat(frames, iterations)))
    else:
        count = sum(1 for _ in _prepared_beside(runner, frames, iterations))
    return round(count * len(frames) / (time.perf_counter() - start), 3), "stream" if stream else "prepared beside"


def _prepared_beside(runner: StagedRunner, frames: NDArray[np.uint8], iterations: int) -> Iterator[dict[str, Any]]:
    size = (frames.shape[1], frames.shape[2])
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(runner.prepare, frames)
        for position in range(iterations):
            prepared = following.result()
            if position + 1 < iterations:
                following = beside.submit(runner.prepare, frames)
            yield runner.analyse(prepared, size)
