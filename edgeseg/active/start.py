"""Round 0: the model trained on P, shared by all strategies that train alike, and the committee's further members."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg import config
from edgeseg.active.answers import Answers
from edgeseg.active.partial import write_training_data
from edgeseg.active.running import evaluate
from edgeseg.active.world import World
from edgeseg.files import digest_text, locked, write_atomic
from edgeseg.progress import say
from edgeseg.students import TrainSettings, train
from edgeseg.students.run_folder import RunFolder

COMMITTEE_SEED = 1000
"""Members' seeds are the run's own plus multiples of this."""


@dataclass(frozen=True)
class Trained:
    """A model of the loop.

    Attributes:
        checkpoint: Of the last epoch.
        extra_weights: Of the training's extra loss, or None.
    """

    checkpoint: Path
    extra_weights: Path | None


def trained(settings: TrainSettings, folder: Path) -> Trained:
    """Trains, or goes on with it, or finds it done."""
    run = RunFolder(folder)
    train(settings, folder, resume=folder.exists())
    return Trained(run.last, run.extra if run.extra.exists() else None)


def evaluated(world: World, model: Trained, path: Path) -> dict[str, Any]:
    """Figures of a model on ``val``, measured once."""
    if not path.exists():
        figures = evaluate(model.checkpoint, world.val, world.settings.trained(world.seed, 1).threads)
        write_atomic(path, json.dumps(figures, indent=2) + "\n")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


class Beginning:
    """The first model of a seed.

    Args:
        world: The seed.
        training: How its strategy trains; strategies that train alike share the model.
    """

    def __init__(self, world: World, training: TrainSettings) -> None:
        self.world = world
        epochs = world.settings.initial_epochs or training.epochs
        init = Path(world.settings.init) if world.settings.init else None
        plain = training == world.training()
        name = "start" if plain else f"start-{digest_text(json.dumps(config.to_plain(training)))[:8]}"
        self.folder = world.folder / name
        self._settings = replace(training, data=f"folder:{self.folder / 'data'}", epochs=epochs, init=init)

    @property
    def evaluation(self) -> Path:
        """Figures on ``val``."""
        return self.folder / "evaluation.json"

    def model(self) -> Trained:
        """Trains the model on P and evaluates it, or finds that done."""
        with locked(self.folder, f"{self.folder}: another process trains the first model there; wait for it"):
            self._write_data()
            model = trained(self._settings, self.folder / "train")
            evaluated(self.world, model, self.evaluation)
        return model

    def members(self) -> tuple[Path, ...]:
        """Trains further models on P with other seeds, or finds them."""
        with locked(self.folder, f"{self.folder}: another process trains the committee there; wait for it"):
            return tuple(self._member(number) for number in range(1, self.world.settings.committee + 1))

    def _member(self, number: int) -> Path:
        say(f"member {number} of the committee")
        settings = replace(self._settings, seed=self.world.seed + COMMITTEE_SEED * number)
        return trained(settings, self.folder / f"member-{number}").checkpoint

    def _write_data(self) -> None:
        if not (self.folder / "data").exists():
            known, numbers = self.world.known(Answers()), self.world.numbers(Answers())
            write_training_data(known, self.world.images, numbers, self.folder / "data", None)
