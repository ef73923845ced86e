"""One row of the benchmark, in a process of its own: ``python -m edgeseg.deploy.bench_row JOB RESULT`` (JSON files)."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.machine import peak_memory_mb
from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import StagedRunner
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.sample_frames import SYNTHETIC, dataset_frames, synthetic_frame
from edgeseg.errors import EdgesegError

PERCENTILES = (50, 90, 95, 99)
PROFILED_FRAMES = 5


@dataclass(frozen=True)
class RowJob:
    """What one row measures; fields as in ``BenchSettings``, for one model, backend, size and thread count."""

    model: str
    backend: str
    size: tuple[int, int] | None
    frame: tuple[int, int] | None
    threads: int | None
    iterations: int
    warm_up: int
    data: str | None
    miou: bool


def measure(job: RowJob) -> dict[str, Any]:
    """Measures one row, plain data with the keys that ``BenchReport.rows`` documents.

    Raises:
        EdgesegError: The model cannot be opened, or the dataset cannot be read.
    """
    with open_runner(Path(job.model), job.backend, job.threads, job.size) as opened:
        runner = cast(StagedRunner, opened)
        record = _record(runner)
        image = _image(job, runner, record)
        batch = record.batch if record and isinstance(record.batch, int) else 1
        frames = np.ascontiguousarray(np.broadcast_to(image, (batch, *image.shape)))
        row = {
            "model": job.model,
            "backend": runner.backend,
            "precision": record.precision if record else "fp32",
            "size": _hxw(runner.size),
            "frame": _hxw((image.shape[0], image.shape[1])),
            "frames_from": job.data or SYNTHETIC,
            "threads": job.threads,
            "batch": batch,
            "model_digest": runner.digest,
            **_latency(job, runner, frames),
            # Before the evaluation, whose own memory is not the model's.
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "decode_ms": _decode(image, job.iterations),
        }
        row |= _inside_graph(job, record, frames, row["latency_ms"]["p50"])
        dataset = datasets.open(job.data) if job.data and job.miou else None
        row["miou"] = evaluate(runner, dataset).miou if dataset is not None and dataset.has_labels else None
        return row


def _latency(job: RowJob, runner: StagedRunner, frames: NDArray[np.uint8]) -> dict[str, Any]:
    size = (frames.shape[1], frames.shape[2])
    for _ in range(job.warm_up):
        runner.infer_batch(frames)
    marks = np.empty((job.iterations, 3), np.int64)
    for mark in marks:
        mark[0] = time.perf_counter_ns()
        prepared = runner.prepare(frames)
        mark[1] = time.perf_counter_ns()
        runner.analyse(prepared, size)
        mark[2] = time.perf_counter_ns()
    total = (marks[:, 2] - marks[:, 0]) / 1e6
    wall_s = (marks[-1, 2] - marks[0, 0]) / 1e9
    return {
        "latency_ms": _summary(total),
        "throughput_fps": round(job.iterations * len(frames) / wall_s, 3),
        "variation": round(float(total.std() / total.mean()), 4),
        "preprocess_ms": round(float(np.median(marks[:, 1] - marks[:, 0])) / 1e6, 4),
        "network_ms": round(float(np.median(marks[:, 2] - marks[:, 1])) / 1e6, 4),
        "preprocess_by": "clock",
        "iterations": job.iterations,
        "warm_up": job.warm_up,
    }


def _summary(times_ms: NDArray[np.float64]) -> dict[str, float]:
    points = np.percentile(times_ms, PERCENTILES)
    figures = {"min": times_ms.min(), "mean": times_ms.mean(), "max": times_ms.max()}
    figures |= {f"p{p}": point for p, point in zip(PERCENTILES, points, strict=True)}
    return {name: round(float(value), 4) for name, value in figures.items()}


def _inside_graph(
    job: RowJob, record: ExportRecord | None, frames: NDArray[np.uint8], latency_ms: float
) -> dict[str, Any]:
    """Splits a deployed graph's latency by the runtime's own profile of its nodes, since no clock sees inside it."""
    if record is None or record.outputs != "graph" or job.backend != OnnxRuntimeRunner.backend:
        return {}
    with (
        tempfile.TemporaryDirectory(prefix="edgeseg-profile-") as folder,
        OnnxRuntimeRunner(Path(job.model), job.threads, profile_prefix=Path(folder) / "nodes") as runner,
    ):
        for _ in range(PROFILED_FRAMES):
            runner.infer_batch(frames)
        events = json.loads(runner.end_profile().read_text(encoding="utf-8"))
    nodes = [(e["name"], e["dur"]) for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    own = sum(duration for name, duration in nodes if name.startswith("/preprocess/"))
    share = own / max(1, sum(duration for _, duration in nodes))
    return {
        "preprocess_ms": round(share * latency_ms, 4),
        "network_ms": round((1 - share) * latency_ms, 4),
        "preprocess_by": "runtime profile",
    }


def _decode(image: NDArray[np.uint8], iterations: int) -> dict[str, float]:
    """Median ms to decode this frame from memory, by codec."""
    coded = {codec: cv2.imencode(f".{codec}", image)[1] for codec in ("png", "jpg")}
    return {
        codec: _median_ms(partial(cv2.imdecode, data, cv2.IMREAD_COLOR), iterations) for codec, data in coded.items()
    }


def _median_ms(action: Callable[[], Any], iterations: int) -> float:
    times = []
    for _ in range(max(3, min(iterations, 20))):
        start = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - start)
    return round(float(np.median(times)) / 1e6, 4)


def _image(job: RowJob, runner: StagedRunner, record: ExportRecord | None) -> NDArray[np.uint8]:
    size = (record.frame if record else None) or job.frame
    if job.data is not None:
        return dataset_frames(job.data, 1, size)[0]
    return synthetic_frame(*(size or runner.size))


def _record(runner: StagedRunner) -> ExportRecord | None:
    plain = runner.info.extra.get(EXPORT_KEY)
    return None if plain is None else ExportRecord.from_dict(plain, "the model")


def _hxw(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def main(job_path: Path, result_path: Path) -> None:
    """Reads the job, measures, writes the row, or the error's kind and message."""
    plain = json.loads(job_path.read_text(encoding="utf-8"))
    job = RowJob(**{**plain, **{key: tuple(plain[key]) if plain[key] else None for key in ("size", "frame")}})
    try:
        result: dict[str, Any] = {"row": measure(job)}
    except EdgesegError as error:
        result = {"error": [type(error).__name__, str(error)]}
    result_path.write_text(json.dumps(result), encoding="utf-8")


def run_apart(job: RowJob, start: Callable[[list[str]], int]) -> dict[str, Any]:
    """Measures in a fresh process; ``start`` runs a command line and gives its exit code."""
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-") as folder:
        job_path, result_path = Path(folder) / "job.json", Path(folder) / "result.json"
        job_path.write_text(json.dumps(asdict(job)), encoding="utf-8")
        code = start([sys.executable, "-m", "edgeseg.deploy.bench_row", str(job_path), str(result_path)])
        if not result_path.exists():
            return {"error": ["ModelError", f"{job.model}: its process ended with exit code {code}"]}
        return dict(json.loads(result_path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
