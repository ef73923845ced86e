"""What each strategy costs, from the host's outputs to the choice, superpixels and all included.

    python -m benchmarks.strategies.time D MODEL.onnx

Wall time on the threads that the libraries take by themselves, and processor time of the whole process, which
is what other work on the machine disturbs least. Strategies that run the network again are left out: they cost
its time once more, and hardly any of their own. OMP_NUM_THREADS says how many threads there are.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.strategies.cases import Case, cases
from benchmarks.strategies.run import RESULTS, SHARE
from edgeseg import datasets
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import Runner
from edgeseg.device.regions import choose
from edgeseg.device.strategies import StrategyOptions, opened
from edgeseg.device.view import FrameView
from edgeseg.files import write_atomic
from edgeseg.frames import Frame
from edgeseg.progress import say

TIMED = (
    *("random", "entropy, pixels", "entropy-edge, pixels, w 1.5", "superpixel, mean", "grid, mean"),
    *("superpixel-crf, mean", "class-specific, mean", "margin, mean"),
)
"""Sums cost what means do."""


def timed(runner: Runner, frame: Frame, outputs: dict[str, NDArray[Any]], case: Case, repeats: int) -> dict[str, float]:
    """Milliseconds of one case, after one repetition that warms up."""
    wall, processor = [], []
    with opened(case.strategy, StrategyOptions(**case.options, region_share=SHARE)) as strategy:
        for _ in range(repeats + 1):
            before, used = time.perf_counter(), time.process_time()
            view = FrameView(frame, outputs, runner.info, case.superpixel_px, runner.infer)
            score = strategy.score(view)
            choose(score.labels, score.region_values, SHARE)
            wall.append(1e3 * (time.perf_counter() - before))
            processor.append(1e3 * (time.process_time() - used))
    return {
        "wall_ms_min": min(wall[1:]),
        "wall_ms_median": float(np.median(wall[1:])),
        "processor_ms_min": min(processor[1:]),
        "processor_ms_median": float(np.median(processor[1:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--note", default="", help="what else the machine was doing")
    given = parser.parse_args()
    dataset = datasets.open(given.data)
    image = dataset.image(0)
    frame = Frame(image, dataset.sample_ids[0], 0, None, dataset.spec)
    found: dict[str, Any] = {}
    with open_runner(given.model) as runner:
        outputs = runner.infer(image)
        for case in cases(None):
            if case.name in TIMED:
                found[case.name] = timed(runner, frame, outputs, case, given.repeats)
                say(f"{case.name}: {found[case.name]['wall_ms_min']:.0f} ms")
    settings = {"frame": list(image.shape[:2]), "repeats": given.repeats, "note": given.note}
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = {"machine": describe_machine(), "settings": settings, "cases": found}
    write_atomic(RESULTS / "time.json", json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
