"""Latency of models × backends × sizes × threads, each row measured in a fresh process."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeseg import errors
from edgeseg.config import STRICT
from edgeseg.deploy.bench_row import RowJob, run_apart
from edgeseg.deploy.machine import busy_share, describe_machine, usable_cores
from edgeseg.deploy.runners import open_runner, resolve_backend
from edgeseg.errors import ConfigError, EdgesegError, ModelError, UsageError
from edgeseg.progress import track, warn

BUSY_LIMIT = 0.15
"""Share of the cores that others may use before a row is called disturbed."""
VARIATION_LIMIT = 0.1
"""Standard deviation over mean of the latency from which a row is called unsteady."""

Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Attributes:
        backends: Runtimes to use, each for the models that it runs; empty for each model's own.
        sizes: (h, w) of the network's input; empty for each model's own. An exported graph has one size.
        frame: The camera's (H, W), None for the frame that a graph was exported for, or else h×w.
        threads: CPU threads within one operator; empty for the runtime's choice.
        iterations: Measured calls a row.
        warm_up: Calls before them.
        data: Dataset whose first image is the frame, None for a drawn one.
        miou: Whether each row also evaluates its model on ``data``, where that has labels.
    """

    backends: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    frame: tuple[int, int] | None = None
    threads: tuple[int, ...] = ()
    iterations: int = 50
    warm_up: int = 10
    data: str | None = None
    miou: bool = True

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f"--iterations must be at least 1, got {self.iterations}")
        if self.warm_up < 0:
            raise ConfigError(f"--warm-up must not be negative, got {self.warm_up}")
        if any(count < 1 for count in self.threads):
            raise ConfigError(f"--threads must be at least 1, got {min(self.threads)}")
        for size in (*self.sizes, *((self.frame,) if self.frame else ())):
            if min(size) < 1:
                raise ConfigError(f"sizes must be positive, got {size[0]}x{size[1]}")


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        machine: As ``describe_machine`` gives it.
        rows: Plain data: ``model``, ``backend``, ``precision``, ``size`` (HxW of the network), ``frame``,
            ``frames_from``, ``threads`` (null: the runtime's choice), ``batch``, ``model_digest``,
            ``latency_ms`` (min, mean, p50, p90, p95, p99, max of a call: frame in host memory to outputs in
            host memory), ``throughput_fps``, ``variation`` (standard deviation over mean), ``preprocess_ms``
            and ``network_ms`` (medians; their sum is about p50), ``preprocess_by`` (``clock``, or ``runtime
            profile`` where preprocessing is inside the graph and its share is taken from the runtime's profile
            of its nodes), ``decode_ms`` (median by codec of decoding this frame from memory; not in the
            latency), ``peak_memory_mb`` (resident, of the whole process), ``iterations``, ``warm_up``,
            ``busy_share`` (others' load before the row), ``miou``, ``warnings``.
    """

    machine: dict[str, Any]
    rows: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    def tables(self) -> list[Table]:
        """Title, columns and rows of what a person reads."""
        columns = (
            *("model", "backend", "precision", "size", "threads", "p50 ms", "p90 ms", "p99 ms", "frames/s"),
            *("preprocess ms", "network ms", "decode jpg ms", "decode png ms", "peak MB", "mIoU"),
        )
        machine = f"{self.machine['cpu']}, {self.machine['usable_cores']} cores"
        return [(f"Latency on {machine}", columns, [_cells(row) for row in self.rows])]


def benchmark(models: Sequence[Path], settings: BenchSettings | None = None) -> BenchReport:
    """Measures every combination, one after the other.

    Raises:
        UsageError: No backend asked for runs a model.
        ConfigError: An exported graph has none of the sizes asked for.
        EdgesegError: A model cannot be opened, or the dataset cannot be read.
    """
    settings = settings or BenchSettings()
    if not models:
        raise UsageError("name at least one model to measure")
    jobs = [job for model in models for job in _jobs(model, settings)]
    machine = describe_machine()
    return BenchReport(machine, tuple(_row(job) for job in track(jobs, "measuring")))


def _jobs(model: Path, settings: BenchSettings) -> list[RowJob]:
    own = resolve_backend(model, None)
    if settings.backends and own not in settings.backends:
        raise UsageError(f"{model}: runs by {own}, which is not among --backend {','.join(settings.backends)}")
    return [
        RowJob(
            str(model),
            own,
            size,
            settings.frame,
            threads,
            settings.iterations,
            settings.warm_up,
            settings.data,
            settings.miou,
        )
        for size in _sizes(model, own, settings)
        for threads in settings.threads or (None,)
    ]


def _sizes(model: Path, backend: str, settings: BenchSettings) -> tuple[tuple[int, int] | None, ...]:
    if not settings.sizes or backend == "torch":
        return settings.sizes or (None,)
    with open_runner(model) as runner:
        if runner.size not in settings.sizes:
            raise ConfigError(
                f"{model}: exported for {runner.size[0]}x{runner.size[1]}, which is not among the sizes asked for; "
                "export it at another --size to measure that"
            )
        return (runner.size,)


def _row(job: RowJob) -> dict[str, Any]:
    busy = busy_share()
    result = run_apart(job, lambda command: subprocess.run(command, check=False).returncode)
    if "error" in result:
        kind, message = result["error"]
        found = getattr(errors, kind, ModelError)
        raise (found if issubclass(found, EdgesegError) else ModelError)(message)
    row = {**result["row"], "busy_share": None if busy is None else round(busy, 3)}
    row["warnings"] = _warnings(row)
    for warning in row["warnings"]:
        warn(f"{Path(job.model).name} at {row['size']}: {warning}")
    return row


def _warnings(row: dict[str, Any]) -> list[str]:
    found = []
    if row["busy_share"] is not None and row["busy_share"] > BUSY_LIMIT:
        found.append(
            f"other processes used {row['busy_share']:.0%} of the cores before this row; measure on a quiet machine"
        )
    if row["variation"] > VARIATION_LIMIT:
        found.append(f"latency varies by {row['variation']:.0%}; the percentiles are not steady")
    if row["threads"] is not None and row["threads"] > usable_cores():
        found.append(f"{row['threads']} threads on {usable_cores()} usable cores")
    return found


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    latency, decode = row["latency_ms"], row["decode_ms"]
    return (
        Path(row["model"]).name,
        *(row[key] for key in ("backend", "precision", "size", "threads")),
        *(latency[key] for key in ("p50", "p90", "p99")),
        *(row[key] for key in ("throughput_fps", "preprocess_ms", "network_ms")),
        decode["jpg"],
        decode["png"],
        row["peak_memory_mb"],
        row["miou"],
    )
