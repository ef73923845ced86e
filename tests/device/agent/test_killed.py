"""The whole agent killed with ``kill -9`` at ten random moments: what its log says was kept is there, whole, once."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.device.agent.agent import AgentSettings
from edgeseg.device.score import score
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.device.spool.reader import SpoolReader
from edgeseg.frames import open_source

FRAMES, KILLS = 60, 10
FRAME_S = 0.012
"""Of the network: no machine gets through the drive before the latest kill."""


def run(drive: Path, spool: Path, log: Path, runner: Any) -> None:
    settings = ScoreSettings(strategy="entropy", superpixel_px=300, agent=AgentSettings(log=str(log)))
    with Spool(spool) as items:
        score(settings, open_source(str(drive)), runner, items)


def unhurried(runner: Any) -> Any:
    at_once = runner.infer

    def infer(frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        time.sleep(FRAME_S)
        return at_once(frame)  # type: ignore[no-any-return]

    runner.infer = infer
    return runner


def killed_after(seconds: float, work: Callable[[], None]) -> bool:
    """Does the work in a forked process; whether it was killed before its end."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_agents_lose_nothing(
    tmp_path: Path, scene: Callable[[int], NDArray[np.uint8]], make_runner: Callable[..., Any]
) -> None:
    drive, spool, log = tmp_path / "long-drive", tmp_path / "spool", tmp_path / "agent.log"
    drive.mkdir()
    for number in range(FRAMES):
        Image.fromarray(scene(number)[::2, ::2]).save(drive / f"f{number:02d}.png")
    draw = random.Random(0)
    killed = 0
    for _ in range(KILLS):
        killed += killed_after(draw.uniform(0.05, 0.6), lambda: run(drive, spool, log, unhurried(make_runner())))
        if spool.exists():
            Spool(spool).close()
            assert SpoolReader(spool).verify().problems == ()
    # The last line may have been cut off by the kill; it was acknowledged to nobody.
    lines = [line for line in log.read_text().splitlines() if line.endswith("}")]
    kept = {found["item_id"] for found in map(json.loads, lines) if found["event"] == "frame"}
    assert killed == KILLS and kept
    assert kept <= set(SpoolReader(spool).ids())
    run(drive, spool, log, make_runner())
    frames = [item.record.frame_id for item in SpoolReader(spool).list()]
    assert sorted(frames) == [f"f{number:02d}" for number in range(FRAMES)]
