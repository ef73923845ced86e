"""Round 0: the model trained on P, shared by all strategies that train alike, and the committee's further members."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgeseg import config
from edgeseg.active.answers import Answers
from edgeseg.active.partial import write_training_data
from edgeseg.active.training import Trained, trained
from edgeseg.active.world import World
from edgeseg.datasets import Dataset
from edgeseg.files import digest_text, locked
from edgeseg.students import TrainSettings

COMMITTEE_SEED = 1000
"""Members' seeds are the run's own plus multiples of this."""


class Beginning:
    """The first model of a seed.

    Args:
        world: The seed.
        training: How its strategy trains; strategies that train alike share the model.
    """

    def __init__(self, world: World, training: TrainSettings) -> None:
        self.world = world
        epochs = world.settings.initial_epochs or training.epochs
        plain = training == world.training()
        name = "start" if plain else f"start-{digest_text(json.dumps(config.to_plain(training)))[:8]}"
        self.folder = world.folder / name
        self._settings = replace(
            training, data=f"folder:{self.folder / 'data'}", epochs=epochs, init=world.settings.init
        )

    @property
    def evaluation(self) -> Path:
        """Figures on ``val``."""
        return self.folder / "evaluation.json"

    def model(self) -> Trained:
        """Trains the model on P and evaluates it, or finds that done."""
        with self._kept(self.evaluation):
            return self._trained(self._settings, "train", self.evaluation, self.world.val)

    def members(self) -> tuple[Path, ...]:
        """Trains further models on P with other seeds, or finds them."""
        count = self.world.settings.committee
        with self._kept(self._member_done(count)):
            return tuple(self._member(number) for number in range(1, count + 1))

    def _member(self, number: int) -> Path:
        settings = replace(self._settings, seed=self.world.seed + COMMITTEE_SEED * number)
        return self._trained(settings, f"member-{number}", self._member_done(number), None).checkpoint

    def _trained(self, settings: TrainSettings, name: str, done: Path, val: Dataset | None) -> Trained:
        return trained(settings, self.folder / name, done, val, self.world.settings.launcher)

    def _member_done(self, number: int) -> Path:
        return self.folder / f"member-{number}.json"

    @contextmanager
    def _kept(self, done: Path) -> Iterator[None]:
        """Keeps the folder for this process, unless there is nothing left to do in it."""
        if done.exists():
            yield
            return
        with locked(self.folder, f"{self.folder}: another process trains there; wait for it and --resume"):
            if not (self.folder / "data").exists():
                known, numbers = self.world.known(Answers()), self.world.numbers(Answers())
                write_training_data(known, self.world.images, numbers, self.folder / "data", None)
            yield
