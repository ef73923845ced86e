"""The agent's memory: how much at 1024×2048, and whether it grows over 10 000 frames.

    python -m benchmarks.soak.memory

Two runs of ``edgeseg score`` with the onnxruntime runner, each in a process of its own: 300 frames of 1024×2048
through a network of 512×1024, and 10 000 frames of 128×192 through one of 64×96 (at full size these would take
hours, and what leaks does so by the frame). Each is done once; started again, the benchmark goes on with what is left.
Keeps what was found in ``benchmarks/results/agent/memory.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.steps import Step, Steps
from benchmarks.soak.material import network, video
from benchmarks.soak.process import Watched, frame_times, memory_figures
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic

RESULTS = Path(__file__).parents[1] / "results" / "agent" / "memory.json"


@dataclass(frozen=True)
class Run:
    """One run: its frames' number and (H, W), the network's (h, w), and the strategy."""

    frames: int
    frame: tuple[int, int]
    network: tuple[int, int]
    strategy: str


RUNS = {
    "full size": Run(300, (1024, 2048), (512, 1024), "superpixel"),
    "10 000 frames": Run(10_000, (128, 192), (64, 96), "superpixel"),
}


def measure(run: Run, work: Path) -> dict[str, Any]:
    """Runs the agent and looks at its memory."""
    model, drive = network(work, *run.network), video(work, *run.frame, run.frames)
    place = work / f"run-{run.frames}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    spool, log = place / "spool", place / "agent.log"
    options = ["--strategy", run.strategy, "--budget-frames", "20", "--log", str(log), "--json"]
    agent = Watched(
        ["score", str(drive), "--model", str(model), "--spool", str(spool), *options], place / "report.json"
    )
    agent.start()
    report = agent.wait()
    return {
        "settings": asdict(run),
        **memory_figures(agent.samples, frame_times(log)),
        "frames": report["frames"],
        "kept": report["kept"],
    }


def main() -> None:
    """Measures what is left and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/agent-memory"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", choices=RUNS, help="one of the runs")
    parser.add_argument("--prepare", action="store_true", help="make networks and videos, and stop")
    given = parser.parse_args()
    runs = {name: run for name, run in RUNS.items() if given.only in (None, name)}
    given.work.mkdir(parents=True, exist_ok=True)
    for run in runs.values():
        network(given.work, *run.network)
        video(given.work, *run.frame, run.frames)
    if given.prepare:
        return
    steps = Steps(given.work)
    steps.run([Step(name, lambda run=run: measure(run, given.work)) for name, run in runs.items()])  # type: ignore[misc]
    figures = {name: figures for name in RUNS if (figures := steps.figures(name)) is not None}
    report = {"command": "python -m benchmarks.soak.memory", "machine": describe_machine(), "runs": figures}
    write_atomic(given.out, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
