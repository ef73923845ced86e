"""Which rows a benchmark has: models × backends × sizes × threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeseg.deploy.benchmark.row import RowJob
from edgeseg.deploy.benchmark.settings import BenchSettings
from edgeseg.deploy.runners import BACKENDS, open_runner, resolve_backend
from edgeseg.errors import ConfigError, MissingDependencyError, UsageError


def plan(models: Sequence[Path], settings: BenchSettings) -> list[RowJob]:
    """Every row to be measured, model by model.

    Raises:
        UsageError: No model is named, or no backend asked for runs one of them.
        ConfigError: A backend is unknown, or an exported graph has none of the sizes asked for.
        ModelError: A model cannot be opened.
    """
    if not models:
        raise UsageError("name at least one model to measure")
    for backend in settings.backends:
        if backend not in BACKENDS:
            raise ConfigError(f"--backend {backend}: choose from {', '.join(BACKENDS)}")
    return [
        job for model in models for backend in _backends(model, settings) for job in _jobs(model, backend, settings)
    ]


def _backends(model: Path, settings: BenchSettings) -> tuple[str, ...]:
    own = resolve_backend(model, None)
    if not settings.backends:
        return (own,)
    chosen = tuple(name for name in settings.backends if _runs(model, name))
    if not chosen:
        raise UsageError(f"{model}: runs by {own}, which is not among --backend {','.join(settings.backends)}")
    return chosen


def _runs(model: Path, backend: str) -> bool:
    try:
        return resolve_backend(model, backend) == backend
    except UsageError:
        return False


def _jobs(model: Path, backend: str, settings: BenchSettings) -> list[RowJob]:
    # Threads are the processor's; an engine works on the GPU.
    threads: tuple[int | None, ...] = settings.threads if settings.threads and backend != "tensorrt" else (None,)
    return [
        RowJob(
            model=str(model),
            backend=backend,
            size=size,
            frame=settings.frame,
            threads=count,
            iterations=settings.iterations,
            warm_up=settings.warm_up,
            warm_up_limit_s=settings.warm_up_limit_s,
            data=settings.data,
            miou=settings.miou,
            scorer=settings.scorer,
            strategy=settings.strategy,
        )
        for size in _sizes(model, backend, settings)
        for count in threads
    ]


def _sizes(model: Path, backend: str, settings: BenchSettings) -> tuple[tuple[int, int] | None, ...]:
    if not settings.sizes or backend == "torch":
        return settings.sizes or (None,)
    try:
        with open_runner(model, backend) as runner:
            own = runner.size
    except MissingDependencyError:
        # The row itself will say so, and others may still be measured.
        return (None,)
    if own not in settings.sizes:
        raise ConfigError(
            f"{model}: exported for {own[0]}x{own[1]}, which is not among the sizes asked for; export it at another "
            "--size to measure that"
        )
    return (own,)
