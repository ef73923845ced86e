"""A sweep from settings to table and plot."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from edgeseg.errors import ConfigError, TrainingError
from edgeseg.progress import say
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.sources import open_sources
from edgeseg.students.sweep import space, table
from edgeseg.students.sweep.folder import SweepFolder
from edgeseg.students.sweep.settings import SweepSettings
from edgeseg.students.sweep.table import SweepResult
from edgeseg.students.training import distill, train

STARTUP_TRIALS = 5
"""Trials drawn at random before ``tpe`` has something to learn from; Optuna's own 10 would be half of a small sweep."""


def sweep(settings: SweepSettings, out: Path, resume: bool = False) -> SweepResult:
    """Runs the trials that are left, and writes tables, plot and the best settings.

    A trial whose training fails (its loss is not finite, memory does not suffice) counts as failed, and the sweep
    goes on. After a kill, ``resume`` runs no finished training again and goes on inside the unfinished one; what the
    sampler proposes depends on the trials before alone, so that the sweep ends as if never interrupted.

    Args:
        settings: What to search, and where.
        out: Folder of the sweep.
        resume: Whether to go on with the sweep in ``out``; without one there, it starts.

    Raises:
        CacheError: See ``distill``.
        ConfigError: The space cannot be used, ``out`` holds another sweep, or nothing is there to measure on.
        DataError: See ``train``.
        ModelError: See ``train``.
        OutputError: ``out`` holds a sweep, or cannot be written.
        TrainingError: Every trial failed.
    """
    space.require_usable(settings)
    _require_measure(settings)
    folder = SweepFolder(out)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with folder.claimed(settings, resume):
        study = folder.open_study()
        while _finished(study) < space.planned_trials(settings):
            _run_trial(study, settings, folder)
            table.write(_result(study, settings, folder), out)
        result = _result(study, settings, folder)
        table.write(result, out)
        if result.best is None:
            raise TrainingError(f"{out}: every trial failed, the last with: {result.rows[-1].error}")
        table.write_best(settings, result.best, folder.best)
        table.draw(result, settings, out)
        return result


def _require_measure(settings: SweepSettings) -> None:
    trial = settings.of_trial(space.first_point(settings), settings.seeds[0])
    uses_labels = not isinstance(trial, DistillSettings) or trial.needs_labels
    if trial.val == "none" or open_sources(trial, uses_labels).val is None:
        raise ConfigError(
            "a sweep needs labels to measure on: name a labeled dataset as base.val, or leave it out where base.data "
            "has labels, to set a tenth of it aside"
        )


def _finished(study: optuna.Study) -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _run_trial(study: optuna.Study, settings: SweepSettings, folder: SweepFolder) -> None:
    trial = _next_trial(study, settings)
    parameters = space.suggest(trial, settings)
    shown = ", ".join(f"{name} {table.shown(value)}" for name, value in parameters.items())
    say(f"trial {trial.number + 1} of {space.planned_trials(settings)}: {shown}")
    try:
        value = statistics.fmean(_measure(trial, settings, parameters, seed, folder) for seed in settings.seeds)
    except TrainingError as error:
        trial.set_user_attr(table.ERROR, str(error))
        study.tell(trial, state=TrialState.FAIL)
        say(f"trial {trial.number + 1} failed: {error}")
    else:
        study.tell(trial, value)
        say(f"trial {trial.number + 1}: mIoU {value:.4f}, best so far {study.best_value:.4f}")


def _next_trial(study: optuna.Study, settings: SweepSettings) -> Trial:
    """The trial that a killed process left unfinished, or a new one."""
    trials = study.get_trials(deepcopy=False)
    unfinished = [t for t in trials if t.state is TrialState.RUNNING]
    if unfinished:
        study.sampler = _sampler(settings, unfinished[0].number)
        return Trial(study, unfinished[0]._trial_id)  # ask() has no way to a trial that is already begun
    waiting = [t for t in trials if t.state is TrialState.WAITING]
    if settings.sampler == "grid" and not waiting:
        study.enqueue_trial(space.grid(settings)[len(trials)])
    study.sampler = _sampler(settings, len(trials) - len(waiting))
    return study.ask()


def _sampler(settings: SweepSettings, number: int) -> optuna.samplers.BaseSampler:
    """A sampler of its own for each trial: one seeded once would begin anew in a resumed process and repeat itself."""
    seed = settings.sampler_seed * 1_000_003 + number
    if settings.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
    return optuna.samplers.RandomSampler(seed=seed)


def _measure(
    trial: Trial, settings: SweepSettings, parameters: dict[str, Any], seed: int, folder: SweepFolder
) -> float:
    """The mIoU of one training, run unless the trial knows it."""
    key = table.seed_key(seed)
    if key in trial.user_attrs:
        return float(trial.user_attrs[key])
    out = folder.training(trial.number, seed)
    miou = _train(settings.of_trial(parameters, seed), out)
    trial.set_user_attr(key, miou)
    for name in ("state.pt", "last.edgeseg"):  # several times the size of the best checkpoint, and of no more use
        (out / name).unlink(missing_ok=True)
    return miou


def _train(settings: TrainSettings, out: Path) -> float:
    if isinstance(settings, DistillSettings):
        result = distill(settings, out, resume=True)
    else:
        result = train(settings, out, resume=True)
    assert result.best_miou is not None, "the measure was required before the first trial"
    return result.best_miou


def _result(study: optuna.Study, settings: SweepSettings, folder: SweepFolder) -> SweepResult:
    rows = [table.row_of(trial, settings) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    return SweepResult(
        str(folder.path), settings.method, str(settings.base.get("network")), settings.seeds, tuple(rows)
    )
