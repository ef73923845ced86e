"""A round's training and its evaluation, in this process or in those that a launcher starts."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from edgeseg import config
from edgeseg.active.running import evaluate
from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.files import write_atomic
from edgeseg.students import TrainSettings, train
from edgeseg.students.distribution import processes_expected
from edgeseg.students.run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """A model of the loop.

    Attributes:
        checkpoint: Of the last epoch.
        extra_weights: Of the training's extra loss, or None.
    """

    checkpoint: Path
    extra_weights: Path | None


def trained(
    settings: TrainSettings, folder: Path, evaluation: Path, val: Dataset | None, launcher: tuple[str, ...] = ()
) -> Trained:
    """Trains and evaluates a model, or goes on with that, or finds it done.

    Args:
        settings: Of the training.
        folder: Of the training.
        evaluation: Where the figures are written; the model is done when they are there.
        val: What it is evaluated on; None for a model that nothing is told of.
        launcher: Words that start the processes of a training, such as ``torchrun --nproc-per-node 4``; () for none.

    Raises:
        TrainingError: The training failed; also where a launched one did, which then told why.
    """
    run = RunFolder(folder)
    if not evaluation.exists():
        start = time.perf_counter()
        if launcher:
            _launch(settings, folder, launcher)
        else:
            train(settings, folder, resume=folder.exists())
        seconds = time.perf_counter() - start
        figures = (evaluate(run.last, val, settings.threads) if val is not None else {}) | {"train_seconds": seconds}
        write_atomic(evaluation, json.dumps(figures, indent=2) + "\n")
    return Trained(run.last, run.extra if run.extra.exists() else None)


def _launch(settings: TrainSettings, folder: Path, launcher: tuple[str, ...]) -> None:
    path = folder.with_name(f"{folder.name}.yaml")
    config.write(settings, path)
    words = ["-m", "edgeseg", "train", settings.network, "--config", str(path), "--out", str(folder), "--resume"]
    try:
        # What it prints is for people; stdout is the report's alone.
        code = subprocess.run([*launcher, *words], stdout=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        raise ConfigError(f"launcher {' '.join(launcher)!r} cannot be started ({error.strerror})") from None
    if code:
        raise TrainingError(
            f"{folder}: the training that {' '.join(launcher)!r} started ended with code {code}; "
            "see its message above, then go on by --resume"
        )


def require_alone() -> None:
    """Raises ``ConfigError`` inside of torchrun: the loop is one process, its trainings may be several."""
    if processes_expected() > 1:
        raise ConfigError(
            "active run is one process that starts those of each training itself: run it without torchrun, and give "
            "the words of torchrun by --set 'launcher=[torchrun, --nproc-per-node, 2]'"
        )
