"""The loop: every strategy of every seed, round by round; it goes on where it was stopped."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from edgeseg import config
from edgeseg.active import methods
from edgeseg.active.answers import Answers
from edgeseg.active.methods import Method, MethodOptions, Start
from edgeseg.active.pool import Outside
from edgeseg.active.round import RoundFolder, Turn
from edgeseg.active.rows import ActiveReport, Cell, collect, write_rows
from edgeseg.active.scoring.remote import connected
from edgeseg.active.settings import ActiveSettings
from edgeseg.active.start import Beginning
from edgeseg.active.training import Trained, require_alone
from edgeseg.active.world import World, open_world
from edgeseg.cluster import EngineSettings
from edgeseg.errors import ConfigError, OutputError
from edgeseg.files import locked, write_atomic
from edgeseg.progress import say
from edgeseg.students import TrainSettings
from edgeseg.students.run_folder import changed, filled

CONFIG = "config.yaml"
FREE_SETTINGS = ("strategies", "seeds", "launcher", "engine", "address", "rounds")
"""Settings that may differ when a run goes on: what is done stays done. The last one only beside a fixed ``group``."""


def run(settings: ActiveSettings, out: Path, resume: bool = False) -> ActiveReport:
    """Runs the loop for every strategy and seed.

    Several processes may share ``out``, each with strategies or seeds of its own.

    Args:
        settings: What to simulate.
        out: Folder of the run.
        resume: Whether to go on with what is there; finished steps are not done again.

    Raises:
        ClusterError: The cluster that ``engine`` asks for does not answer, or cannot do its work.
        ConfigError: A setting cannot be used, or differs from those of the run that is there.
        DataError: A dataset cannot be used, or nothing was selected.
        OutputError: ``out`` holds a run, another process is at it, or it cannot be written.
        TrainingError: A training cannot go on, or a method's network says nothing.
    """
    require_alone()
    _claim_folder(settings, out, resume)
    with connected(EngineSettings(settings.engine, settings.address)):
        for seed in settings.seeds:
            world = open_world(settings, out, seed)
            for strategy in settings.strategies:
                _run_cell(world, strategy)
    report = collect(settings, out)
    write_rows(report, out)
    return report


def _claim_folder(settings: ActiveSettings, out: Path, resume: bool) -> None:
    path = out / CONFIG
    if not path.exists():
        config.write(settings, path)
        return
    if not resume:
        raise OutputError(f"{out} holds a run; go on with it by --resume, or name another --out")
    # Begun by an earlier version, a run does not know every setting: then it was as the default is.
    before, now = filled(config.read_mapping(path), config.plain_defaults(settings)), config.to_plain(settings)
    free = FREE_SETTINGS if settings.group is not None else FREE_SETTINGS[:-1]
    if lines := changed(before, now, free):
        raise ConfigError(
            f"{out}: settings changed since the run began: {'; '.join(lines)}; "
            "resume with the same ones, or start again in another folder"
        )


def _run_cell(world: World, strategy: str) -> None:
    """All rounds of one strategy."""
    cell = Cell(world.out, world.seed, strategy)
    busy = f"{cell.folder}: another process runs this strategy there; wait for it, or name another --out"
    with locked(cell.folder, busy), closing(_build(world, strategy)) as method:
        training = world.training(method)
        beginning = Beginning(world, training)
        cell.note(beginning.folder)
        model = beginning.model()
        committee = beginning.members() if method.members else ()
        _prepare(world, cell, method, training, model)
        _run_rounds(world, cell, method, training, model, committee)


def _run_rounds(
    world: World, cell: Cell, method: Method, training: TrainSettings, model: Trained, committee: tuple[Path, ...]
) -> None:
    answers = Answers()
    for number in range(1, world.settings.rounds + 1):
        folder = RoundFolder(cell.round(number), number)
        say(f"seed {world.seed}, {cell.strategy}, round {number}/{world.settings.rounds}")
        turn = Turn(world, method, training, folder, answers, model, committee, cell.prepared)
        model, answers = turn.finish(), turn.after


def first_model(world: World, strategy: str) -> Beginning:
    """The first model of a strategy; strategies that train alike share it."""
    with closing(_build(world, strategy)) as method:
        return Beginning(world, world.training(method))


def _build(world: World, strategy: str) -> Method:
    settings = world.settings
    own = _own_options(settings, strategy)
    return methods.build(strategy, MethodOptions(settings.share, world.seed, settings.superpixel_px, own))


def _prepare(world: World, cell: Cell, method: Method, training: TrainSettings, model: Trained) -> None:
    if cell.preparation.exists():
        return
    known, outside = world.known(Answers()), Outside(world.truth)
    cell.prepared.mkdir(parents=True, exist_ok=True)
    start = Start(known, world.pool(Answers()), outside, training, model.checkpoint, cell.prepared)
    method.prepare(start)
    if outside.pixels:
        say(f"{cell.strategy}: {outside.pixels} pixels of Q were labeled for it outside of the budget")
    told = {"outside_pixels": outside.pixels, "figures": dict(start.figures)}
    write_atomic(cell.preparation, json.dumps(told, indent=2) + "\n")


def _own_options(settings: ActiveSettings, strategy: str) -> dict[str, object]:
    own = settings.method.get(strategy, {})
    if not isinstance(own, dict):
        raise ConfigError(f"method.{strategy} must be a mapping of options, got {own!r}")
    return dict(own)
