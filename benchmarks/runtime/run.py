"""Runtimes side by side on the processor, in one run: networks alone, and our deployed graph with scoring included.

    python -m benchmarks.runtime.run --enet enet_cityscapes.net [--opencv DIR] [--calibrate D] [--threads 2]

ENet is the published Cityscapes network; ICNet and ERFNet, whose speed does not hang on their weights, are drawn. Every
contestant is a process that waits its turn: round after round each runs one frame, so that whatever else the machine
does hits all alike. Ratios are of minima and of medians. ``--opencv`` names a folder with OpenCV 4
(``pip install --target DIR --no-deps 'opencv-python-headless<5'``) where the one installed is newer. ``--calibrate``
names frames for int8 of the deployed graph, which is timed here whatever it costs. ``host-`` is the bare network, and
its scoring outside of the graph by NumPy. ``camera`` is the deployed graph for frames of 1024×2048, which it shrinks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.markdown import table
from benchmarks.runtime.plain import export_plain, quantise_plain
from edgeseg import nets
from edgeseg.deploy.export import export
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.openvino.export import OpenVinoSettings, export_openvino
from edgeseg.files import digest_file, write_atomic
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.nets.importing import import_published
from edgeseg.preprocess import Preprocess
from edgeseg.progress import say, warn

RESULTS = Path(__file__).parent.parent / "results" / "runtime"
SIZE = (512, 1024)
CAMERA = (1024, 2048)
PAUSE_S = 0.02
"""Between two contestants' turns: thread pools spin for a while after their work."""
BASELINE = {"enet": "opencv", "icnet": "onnxruntime", "erfnet": "onnxruntime"}


@dataclass
class Contestant:
    """A process that runs one frame when told to.

    Attributes:
        kind: Key of ``worker.KINDS``, with the model's form behind a space where several are run.
        process: The worker.
        version: Of the runtime.
        times_ms: One a round.
        processor_ms: Processor time of each, all threads together.
    """

    kind: str
    process: subprocess.Popen[str]
    version: str
    times_ms: list[float]
    processor_ms: list[float]

    @classmethod
    def start(cls, name: str, model: Path, threads: int, opencv: Path | None) -> Contestant | None:
        """Loads the model; waits until it is warm. None where the runtime cannot run it."""
        kind = name.split(" ")[0]
        paths = [str(opencv)] if opencv and kind == "opencv" else []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, str(Path.cwd())])}
        command = [sys.executable, "-m", "benchmarks.runtime.worker", kind, str(model), str(threads), hxw(SIZE)]
        process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            warn(f"{name} cannot run {model.name}: exit code {process.wait()}")
            return None
        return cls(name, process, json.loads(line)["version"], [], [])

    def turn(self) -> None:
        """One frame."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        elapsed, used = map(float, self.process.stdout.readline().split())
        self.times_ms.append(elapsed)
        self.processor_ms.append(used)


def hxw(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def checkpoints(enet: Path, folder: Path) -> dict[str, Path]:
    """The three networks as checkpoints."""
    found = {name: folder / f"{name}.edgeseg" for name in BASELINE}
    if not found["enet"].exists():
        import_published(enet, "enet-torch7", found["enet"])
    class_map = load_checkpoint(found["enet"]).info.class_map
    for name in ("icnet", "erfnet"):
        if found[name].exists():
            continue
        torch.manual_seed(0)
        info = ModelInfo(name, class_map, Preprocess(*SIZE))
        save_checkpoint(found[name], nets.build(name, class_map.num_classes).eval(), info)
    return found


def deployed_int8(graph: Path, calibrate: str) -> Path:
    """The deployed graph in int8 by OpenVINO's own tool; its layers all, so that the time is int8's."""
    found = graph.with_name(f"{graph.stem.removesuffix('-fp32')}-int8.xml")
    if not found.exists():
        settings = OpenVinoSettings("int8", calibrate, frames=4, max_miou_drop=100.0, min_region_overlap=0.0)
        export_openvino(graph, found.parent, settings)
    return found


def deployed_bf16(graph: Path) -> Path:
    """The deployed graph for OpenVINO to compute in bf16."""
    found = graph.with_name(f"{graph.stem.removesuffix('-fp32')}-bf16.xml")
    if not found.exists():
        export_openvino(graph, found.parent, OpenVinoSettings("bf16"))
    return found


def models(name: str, checkpoint: Path, enet: Path, folder: Path, calibrate: str | None) -> dict[str, Path]:
    """Contestant → the file that it runs."""
    plain = export_plain(checkpoint, folder / f"{name}-plain.onnx", SIZE)
    quantised = quantise_plain(plain, folder / f"{name}-int8.onnx", SIZE)
    deployed, logits = (folder / form / f"{name}-fp32.onnx" for form in ("deployed", "logits"))
    if not deployed.exists():
        export(checkpoint, deployed.parent, size=SIZE, frame=SIZE)
    camera = folder / "camera" / f"{name}-fp32.onnx"
    if not camera.exists():
        export(checkpoint, camera.parent, size=SIZE, frame=CAMERA)
    if not logits.exists():
        export(checkpoint, logits.parent, size=SIZE, outputs="logits")
    found = {
        "opencv": enet if name == "enet" else plain,
        "onnxruntime": plain,
        "openvino-fp32": plain,
        "openvino-bf16": plain,
        "openvino-fp32 int8": quantised,
        "onnxruntime our-logits": logits,
        "openvino-fp32 our-logits": logits,
        "host-onnxruntime": logits,
        "host-openvino": logits,
        "ours-onnxruntime": deployed,
        "ours-openvino": deployed,
        "ours-onnxruntime camera": camera,
        "ours-openvino camera": camera,
        "ours-openvino bf16": deployed_bf16(deployed),
    }
    return {**found, "ours-openvino int8": deployed_int8(deployed, calibrate)} if calibrate else found


def compete(files: dict[str, Path], threads: int, rounds: int, opencv: Path | None) -> list[Contestant]:
    """Starts all, then lets each run one frame a round."""
    started = (Contestant.start(kind, path, threads, opencv) for kind, path in files.items())
    found = [contestant for contestant in started if contestant]
    try:
        for _ in range(rounds):
            for contestant in found:
                contestant.turn()
                time.sleep(PAUSE_S)
    finally:
        for contestant in found:
            contestant.process.kill()
            contestant.process.wait()
    return found


def rows(name: str, found: list[Contestant]) -> list[dict[str, Any]]:
    """Figures of one network's contestants; ``faster`` is the baseline's time over theirs."""
    low = {c.kind: min(c.times_ms) for c in found}
    middle = {c.kind: float(np.median(c.times_ms)) for c in found}
    base = BASELINE[name]
    return [
        {
            "network": name,
            "contestant": c.kind,
            "version": c.version,
            "min_ms": round(low[c.kind], 2),
            "median_ms": round(middle[c.kind], 2),
            "min_processor_ms": round(min(c.processor_ms), 2),
            "baseline": base,
            "faster_by_min": round(low[base] / low[c.kind], 3),
            "faster_by_median": round(middle[base] / middle[c.kind], 3),
            "rounds": len(c.times_ms),
        }
        for c in found
    ]


def against_own_network(found: list[Contestant]) -> dict[str, dict[str, float]]:
    """By runtime, of minima: whole graph over our logits graph, and that with scoring on the host over the whole.

    ``with_resize``: of the graph that makes the camera's frame smaller first.
    """
    low = {c.kind: min(c.times_ms) for c in found}
    kinds = {"onnxruntime": "onnxruntime our-logits", "openvino": "openvino-fp32 our-logits"}
    return {
        runtime: {
            "whole_over_logits": round(low[f"ours-{runtime}"] / low[logits], 3),
            "whole_with_resize_over_logits": round(low[f"ours-{runtime} camera"] / low[logits], 3),
            "host_scoring_over_whole": round(low[f"host-{runtime}"] / low[f"ours-{runtime}"], 3),
        }
        for runtime, logits in kinds.items()
        if {f"ours-{runtime}", f"host-{runtime}", logits} <= set(low)
    }


def markdown(figures: list[dict[str, Any]]) -> str:
    columns = (
        "network",
        "contestant",
        "version",
        "min ms",
        "median ms",
        "processor ms",
        "baseline",
        "× by min",
        "× by median",
    )
    times = ("min_ms", "median_ms", "min_processor_ms")
    keys = ("network", "contestant", "version", *times, "baseline", "faster_by_min", "faster_by_median")
    return table(columns, [[str(row[key]) for key in keys] for row in figures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--enet", type=Path, required=True, help="The published network, Torch7 format")
    parser.add_argument("--opencv", type=Path, help="Folder with OpenCV 4")
    parser.add_argument("--calibrate", help="Frames for int8 of the deployed graph, LAYOUT:PATH[#SPLIT]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--networks", default="enet,icnet,erfnet")
    parser.add_argument("--work", type=Path, default=Path("runs/runtime"), help="Exported files, kept for the next run")
    parser.add_argument("--prepare", action="store_true", help="Export alone, so that a quiet moment serves to measure")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: given.threads]))
    enet = given.enet.resolve()
    files = {
        name: models(name, checkpoint, enet, given.work, given.calibrate)
        for name, checkpoint in checkpoints(enet, given.work).items()
        if name in given.networks.split(",")
    }
    if given.prepare:
        return
    for name, contestants in files.items():
        found = compete(contestants, given.threads, given.rounds, given.opencv)
        figures = rows(name, found)
        say(markdown(figures))
        report = {
            "machine": describe_machine(),
            "command": "python -m benchmarks.runtime.run --enet enet_cityscapes.net --opencv DIR "
            f"{'--calibrate D ' if given.calibrate else ''}"
            f"--networks {name} --threads {given.threads} --rounds {given.rounds}",
            "settings": {
                "size": hxw(SIZE),
                "frame": hxw(SIZE),
                "camera": hxw(CAMERA),
                "threads": given.threads,
                "seed": 0,
                "batch": 1,
            },
            "enet": digest_file(enet),
            "rows": figures,
            "own_network": against_own_network(found),
        }
        write_atomic(RESULTS / f"{name}.json", json.dumps(report, indent=2) + "\n")
        write_atomic(RESULTS / f"{name}.md", markdown(figures))


if __name__ == "__main__":
    main()
