"""One row of the benchmark, measured in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.deploy.benchmark import stages
from edgeseg.deploy.benchmark.conditions import snapshot
from edgeseg.deploy.benchmark.energy import open_meter, reading
from edgeseg.deploy.benchmark.figures import latency_figures
from edgeseg.deploy.benchmark.loop import closed_loop, pipelined, warm_up
from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.machine import OthersLoad, peak_memory_mb
from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import StagedRunner
from edgeseg.deploy.sample_frames import SYNTHETIC, dataset_frames, synthetic_frame
from edgeseg.errors import EdgesegError


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
    warm_up_limit_s: float
    data: str | None
    miou: bool
    scorer: str | None
    strategy: str


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
            **_timed(job, runner, frames),
        }
        judged, unknown = _judged(job, runner)
        return {**row, **judged, "not_measured": {**row["not_measured"], **unknown}}


def _timed(job: RowJob, runner: StagedRunner, frames: NDArray[np.uint8]) -> dict[str, Any]:
    meter = open_meter(runner.backend)
    idle = meter.rest()
    warm = warm_up(lambda: runner.infer_batch(frames), job.warm_up, job.warm_up_limit_s)
    before, load = snapshot(), OthersLoad()
    with meter:
        loop = closed_loop(runner, frames, job.iterations)
    others, after = load.share(), snapshot()
    figures = latency_figures((loop.prepare_ns + loop.analyse_ns) / 1e6)
    fps, how = pipelined(runner, frames, job.iterations)
    # Before scoring and the evaluation, whose own memory is not the model's.
    memory_mb = round(peak_memory_mb(), 1)
    parts = stages.stages(runner, frames, loop, figures["latency_ms"]["p50"])
    scoring_ms, why = stages.scoring(job.scorer, job.strategy, runner, frames)
    energy = reading(meter, idle, job.iterations * len(frames))
    unknown = {**parts.pop("not_measured"), **energy.pop("not_measured"), **({"scoring_ms": why} if why else {})}
    return {
        **figures,
        "throughput_fps": round(job.iterations * len(frames) / loop.wall_s, 3),
        "pipelined_fps": fps,
        "pipelined_by": how,
        "decode_ms": stages.decode(frames[0]),
        **parts,
        "scoring_ms": scoring_ms,
        "strategy": job.strategy if scoring_ms is not None else None,
        "peak_memory_mb": memory_mb,
        "device_memory_mb": (after["gpu"] or {}).get("memory_mb"),
        **energy,
        "iterations": job.iterations,
        "warm_up": warm.calls,
        "warm_up_s": warm.seconds,
        "steady": warm.steady,
        "others_share": None if others is None else round(others, 4),
        "conditions": {"before": before, "after": after},
        "not_measured": unknown,
    }


def _judged(job: RowJob, runner: StagedRunner) -> tuple[dict[str, Any], dict[str, str]]:
    """The mIoU of the very model that was timed, and why there is none."""
    dataset = datasets.open(job.data) if job.data and job.miou else None
    if dataset is None or not dataset.has_labels:
        why = "it was turned off (--no-miou)" if job.data and not job.miou else "needs labels; give --data"
        return {"miou": None, "miou_images": None}, {"miou": why}
    report = evaluate(runner, dataset)
    return {"miou": report.miou, "miou_images": report.images}, {}


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
        code = start([sys.executable, "-m", "edgeseg.deploy.benchmark", str(job_path), str(result_path)])
        if not result_path.exists():
            return {"error": ["ModelError", f"{job.model}: its process ended with exit code {code}"]}
        return dict(json.loads(result_path.read_text(encoding="utf-8")))
