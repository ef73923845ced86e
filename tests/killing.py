"""``kill -9`` of a command at the moment when something is there on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE_S = 120


def kill_when(ready: Callable[[], bool], python: Sequence[str]) -> None:
    """Starts Python in the repository's folder, and kills it and its children as soon as something is so.

    Args:
        ready: What is waited for.
        python: Arguments of the interpreter.
    """
    process = subprocess.Popen(
        [sys.executable, *python], stderr=subprocess.DEVNULL, start_new_session=True, cwd=Path(__file__).parents[1]
    )
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
