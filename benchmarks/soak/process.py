"""A command in a process of its own, whose memory is looked at while it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

LOOKS_EVERY_S = 0.5
ENDS_WITHIN_S = 60


@dataclass
class Watched:
    """``edgeseg ARGUMENTS``.

    Attributes:
        arguments: Of the command.
        output: File for its report.
        environment: Added to this process's own.
        samples: (Unix time, resident MB) in turn.
    """

    arguments: list[str]
    output: Path
    environment: dict[str, str] = field(default_factory=dict)
    samples: list[tuple[float, float]] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edgeseg", *self.arguments],
                stdout=stream,
                env={**os.environ, **self.environment},
            )

    def look(self) -> bool:
        """Notes its memory; False where it has ended."""
        assert self.process is not None
        if self.process.poll() is not None:
            return False
        try:
            self.samples.append((time.time(), psutil.Process(self.process.pid).memory_info().rss / 1e6))
        except psutil.NoSuchProcess:
            return False
        return True

    def wait(self) -> dict[str, Any]:
        """Looks at it until it ends; its report."""
        while self.look():
            time.sleep(LOOKS_EVERY_S)
        return self.report()

    def end(self) -> dict[str, Any]:
        """Asks it to end; its report."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(ENDS_WITHIN_S)
        return self.report()

    def report(self) -> dict[str, Any]:
        """What it printed."""
        assert self.process is not None
        if self.process.wait():
            raise SystemExit(f"edgeseg {' '.join(self.arguments)}: exit code {self.process.returncode}")
        return dict(json.loads(self.output.read_text()))


def frame_times(log: Path) -> list[float]:
    """Unix times at which frames were done, of an agent's structured log and its older generations."""
    files = [path for n in range(9, 0, -1) if (path := log.with_name(f"{log.name}.{n}")).exists()]
    lines = (json.loads(line) for path in (*files, log) for line in path.read_text().splitlines())
    return [datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["event"] == "frame"]


def memory_figures(samples: list[tuple[float, float]], frames: list[float]) -> dict[str, float]:
    """How memory went over the frames.

    Args:
        samples: (Unix time, resident MB).
        frames: Unix times at which frames were done.

    Returns:
        ``most_mb``; medians over the frames' second and last tenth; and the slopes of straight lines through all
        samples after the first fifth, and through those of the last third, in MB per 1000 frames.
    """
    times, resident = np.array(samples).T
    done = np.searchsorted(np.array(frames), times)
    within = (done > 0) & (done < len(frames))
    done, resident = done[within], resident[within]
    share = done / len(frames)
    return {
        "most_mb": round(float(max(mb for _, mb in samples)), 1),
        "second_tenth_mb": round(float(np.median(resident[(share >= 0.1) & (share < 0.2)])), 1),
        "last_tenth_mb": round(float(np.median(resident[share >= 0.9])), 1),
        "slope_mb_per_1000_frames": _slope(done[share >= 0.2], resident[share >= 0.2]),
        "last_third_slope_mb_per_1000_frames": _slope(done[share >= 2 / 3], resident[share >= 2 / 3]),
    }


def _slope(done: NDArray[np.intp], resident: NDArray[np.float64]) -> float:
    return round(float(np.polyfit(done, resident, 1)[0] * 1000), 4) if len(done) > 2 else 0.0
