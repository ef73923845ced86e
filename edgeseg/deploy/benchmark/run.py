"""All rows of a benchmark, one after the other, each in a fresh process."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeseg import __version__, errors
from edgeseg.deploy import doctor_parts
from edgeseg.deploy.benchmark.plan import plan
from edgeseg.deploy.benchmark.report import FORMAT, BenchReport, unmeasured_row
from edgeseg.deploy.benchmark.row import RowJob, run_apart
from edgeseg.deploy.benchmark.settings import BenchSettings
from edgeseg.deploy.benchmark.trust import warnings
from edgeseg.deploy.doctor_machine import Machine
from edgeseg.deploy.machine import busy_share
from edgeseg.deploy.runners import SUFFIXES
from edgeseg.errors import EdgesegError, MissingDependencyError, ModelError
from edgeseg.progress import track, warn


def benchmark(models: Sequence[Path], settings: BenchSettings | None = None) -> BenchReport:
    """Measures every combination, one after the other.

    A row whose runtime or device this machine lacks says "not measured" and why, as long as another can be measured.

    Raises:
        UsageError: No backend asked for runs a model.
        ConfigError: An exported graph has none of the sizes asked for.
        MissingDependencyError: Not one row can be measured here.
        EdgesegError: A model cannot be opened, or the dataset cannot be read.
    """
    settings = settings or BenchSettings()
    jobs = plan(models, settings)
    machine = describe_benchmark_machine()
    rows, lacking = [], []
    for job in track(jobs, "measuring"):
        try:
            rows.append(_row(job))
        except MissingDependencyError as error:
            lacking.append(error)
            rows.append(unmeasured_row(job.model, job.backend, str(error)))
            warn(f"{Path(job.model).name} by {job.backend}: not measured: {error}")
    if len(lacking) == len(jobs):
        raise lacking[0]
    return BenchReport(FORMAT, machine, (*rows, *_never(models, settings, jobs)))


def _never(models: Sequence[Path], settings: BenchSettings, jobs: Sequence[RowJob]) -> list[dict[str, Any]]:
    """Rows of runtimes that were asked for and run none of the models."""
    kinds = {backend: suffix for suffix, backend in SUFFIXES.items()}
    idle = [name for name in settings.backends if all(job.backend != name for job in jobs)]
    cures = {"tensorrt": "build one on the GPU that it is for: edgeseg export M.onnx --tensorrt --out DIR"}
    return [
        unmeasured_row(
            str(model),
            backend,
            f"{backend} runs {kinds.get(backend, 'other')} files, and none was named; {cures.get(backend, 'name one')}",
        )
        for backend in idle
        for model in models
    ]


def describe_benchmark_machine(machine: Machine | None = None) -> dict[str, Any]:
    """``describe_machine`` with the GPUs, the Jetson, whether it is virtual, and the package's version."""
    machine = machine or Machine()
    driver = machine.driver()
    return {
        **machine.describe(),
        "edgeseg": __version__,
        "gpus": [gpu.to_dict() for gpu in driver.gpus] if driver else [],
        "cuda": driver.cuda if driver else None,
        "jetson": doctor_parts.jetson(machine),
        "virtual": "hypervisor" in (machine.read("/proc/cpuinfo") or "").split(),
    }


def _row(job: RowJob) -> dict[str, Any]:
    busy = busy_share()
    result = run_apart(job, lambda command: subprocess.run(command, check=False).returncode)
    if "error" in result:
        kind, message = result["error"]
        found = getattr(errors, kind, ModelError)
        raise (found if issubclass(found, EdgesegError) else ModelError)(message)
    row = {**result["row"], "busy_share": None if busy is None else round(busy, 3)}
    row["warnings"] = warnings(row)
    for warning in row["warnings"]:
        warn(f"{Path(job.model).name} by {row['backend']} at {row['size']}: {warning}")
    return row
