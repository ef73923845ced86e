"""What each strategy costs, from the host's outputs to the choice, superpixels and all included.

    OMP_NUM_THREADS=1 python -m benchmarks.strategies.time D MODEL.onnx
    OMP_NUM_THREADS=2 python -m benchmarks.strategies.time D MODEL.onnx

Wall time, and processor time of the whole process, which is what other work on the machine disturbs least. Strategies
that run the network again are left out: they cost its time once more, and hardly any of their own, but for mc-dropout,
of which one pass is timed beside the network's. Figures of other numbers of threads stay in ``time.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import cv2
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
from edgeseg.device.strategies.mc_dropout import McDropout
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
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


def dropout_pass(runner: Runner, image: NDArray[np.uint8], repeats: int) -> dict[str, float]:
    """Milliseconds of a pass of mc-dropout, and of the network's own run within it."""
    strategy = McDropout(StrategyOptions(dropout_passes=2))
    view = FrameView(Frame(image, "f", 0, None, "d"), {}, runner.info, masked=maskable(runner))
    network, passes = [], []
    for _ in range(repeats):
        before = time.perf_counter()
        runner.infer(image)
        network.append(1e3 * (time.perf_counter() - before))
        before = time.perf_counter()
        strategy.uncertainty(view)
        passes.append(1e3 * (time.perf_counter() - before) / 2)
    return {"network_ms_min": min(network), "pass_ms_min": min(passes)}


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
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    cv2.setNumThreads(threads)
    found: dict[str, Any] = {}
    with open_runner(given.model, threads=threads) as runner:
        outputs = runner.infer(image)
        for case in cases(None):
            if case.name in TIMED:
                found[case.name] = timed(runner, frame, outputs, case, given.repeats)
                say(f"{case.name}: {found[case.name]['wall_ms_min']:.0f} ms")
        found["mc-dropout, a pass"] = dropout_pass(runner, image, given.repeats)
    settings = {"frame": list(image.shape[:2]), "repeats": given.repeats, "note": given.note}
    path = RESULTS / "time.json"
    earlier = json.loads(path.read_text())["threads"] if path.exists() else {}
    measured = {"machine": describe_machine(), "settings": settings, "cases": found}
    report = {"threads": dict(sorted({**earlier, str(threads): measured}.items()))}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
