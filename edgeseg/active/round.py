"""One round: select, ask the oracle, complete the labels, train, evaluate; each step is done once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from edgeseg.active.answers import Answers, write_answer
from edgeseg.active.choices import Choice
from edgeseg.active.methods import Method, Round
from edgeseg.active.oracle import Tally, answer
from edgeseg.active.partial import write_training_data
from edgeseg.active.running import open_runner, predicted
from edgeseg.active.scoring.remote import RemoteScores
from edgeseg.active.scoring.worker import RoundModel
from edgeseg.active.training import Trained, trained
from edgeseg.active.world import World
from edgeseg.cluster.node import absolute_data
from edgeseg.deploy.prototypes import PROTOTYPES_KEY
from edgeseg.deploy.runners.base import Runner
from edgeseg.errors import DataError
from edgeseg.files import atomic_folder, digest_file, write_atomic
from edgeseg.students import TrainSettings

SELECTION = "selection.json"


@dataclass(frozen=True)
class RoundFolder:
    """Files of one round.

    Attributes:
        path: Its folder.
        number: From 1.
    """

    path: Path
    number: int

    @property
    def answers(self) -> Path:
        """The oracle's answers and ``selection.json``, written together."""
        return self.path / "answers"

    @property
    def evaluation(self) -> Path:
        """Figures on ``val``; a round is done when they are there."""
        return self.path / "evaluation.json"

    def selection(self) -> dict[str, Any]:
        """What was selected, in plain form."""
        found: dict[str, Any] = json.loads((self.answers / SELECTION).read_text())
        return found


@dataclass(frozen=True)
class Turn:
    """What a round begins with.

    Attributes:
        world: The seed.
        method: What selects.
        training: How its network is trained.
        folder: Of the round.
        before: Answers of the rounds before.
        model: The model of the round before.
        committee: Further models.
        prepared: Folder of the method's preparation.
    """

    world: World
    method: Method
    training: TrainSettings
    folder: RoundFolder
    before: Answers
    model: Trained
    committee: tuple[Path, ...]
    prepared: Path

    @property
    def after(self) -> Answers:
        """Answers with those of this round."""
        return Answers((*self.before.folders, self.folder.answers))

    def finish(self) -> Trained:
        """Does what is left of the round; the model that it ends with."""
        if not self.folder.answers.exists():
            self.ask()
        data = self.folder.path / "data"
        if not data.exists():
            self._complete(data)
        settings, launcher = self._settings(data), self.world.settings.launcher
        return trained(settings, self.folder.path / "train", self.folder.evaluation, self.world.val, launcher)

    def ask(self) -> None:
        """Selects, and writes the oracle's answers."""
        known = self.world.known(self.before)
        with open_runner(self.model.checkpoint, self.method.needs, self.training.threads, known) as runner:
            state = self._state(runner)
            start = time.perf_counter()
            chosen = self._chosen(state)
            seconds = time.perf_counter() - start
            if not chosen:
                raise DataError(
                    f"round {self.folder.number}: nothing was selected within {state.budget.amount} "
                    f"{state.budget.unit}; raise share or budget_clicks, or group"
                )
            self._answer(runner, chosen, state, seconds)

    def _state(self, runner: Runner) -> Round:
        own = self.folder.path / "method"
        own.mkdir(parents=True, exist_ok=True)
        return Round(
            number=self.folder.number,
            pool=self.world.pool(self.before),
            labeled=self.world.known(self.before),
            budget=self.world.budget,
            group=self.world.group,
            checkpoint=self.model.checkpoint,
            extra_weights=self.model.extra_weights,
            runner=runner,
            training=self.training,
            committee=self.committee,
            prepared=self.prepared,
            folder=own,
            superpixel_px=self.world.settings.superpixel_px,
            remote=self._remote(runner) if self.world.settings.engine == "ray" else None,
        )

    def _remote(self, runner: Runner) -> RemoteScores:
        """The same model for the workers of a cluster; prototypes, measured here, travel along."""
        world, checkpoint = self.world, self.model.checkpoint
        known = {key: runner.info.extra[key] for key in (PROTOTYPES_KEY,) if key in runner.info.extra}
        model = RoundModel(
            data=absolute_data(world.settings.data),
            asked=world.asked,
            checkpoint=checkpoint,
            digest=digest_file(checkpoint),
            needs=self.method.needs,
            extra=known,
            superpixel_px=world.settings.superpixel_px,
        )
        return RemoteScores(model, world.frames.sample_ids, world.settings.address)

    def _chosen(self, state: Round) -> list[Choice]:
        choices = self.method.select(state)
        return list(choices if self.method.unbounded else state.budget.taken(choices))

    def _answer(self, runner: Runner, chosen: list[Choice], state: Round, seconds: float) -> None:
        by_frame = {
            frame: list(group) for frame, group in groupby(sorted(chosen, key=lambda c: c.frame), lambda c: c.frame)
        }
        tally, pool = Tally(), state.pool
        with atomic_folder(self.folder.answers) as partial:
            for frame, choices in by_frame.items():
                label, sample_id = self.world.truth(frame), pool.frames.sample_ids[frame]
                write_answer(partial, sample_id, answer(label, pool.answers.read(sample_id), choices))
                tally.add(label, predicted(runner, pool.frames.image(frame)), choices)
            plain = {
                "round": self.folder.number,
                "pixels": tally.asked,
                "clicks": sum(choice.clicks for choice in chosen),
                "seconds": seconds,
                "frames_scored": len(pool.untouched()),
                **tally.to_dict(pool.class_map),
                "figures": dict(state.figures),
                "frames": {pool.frames.sample_ids[i]: sum(len(c.pixels) for c in cs) for i, cs in by_frame.items()},
            }
            write_atomic(partial / SELECTION, json.dumps(plain, indent=2) + "\n")

    def _complete(self, data: Path) -> None:
        known, numbers = self.world.known(self.after), self.world.numbers(self.after)
        rest = self.world.settings.rest or self.method.rest or "ignore"
        if rest == "ignore":
            write_training_data(known, self.world.images, numbers, data, None)
            return
        with open_runner(self.model.checkpoint, (), self.training.threads) as runner:
            least = self.world.settings.rest_confidence
            write_training_data(known, self.world.images, numbers, data, lambda image: predicted(runner, image, least))

    def _settings(self, data: Path) -> TrainSettings:
        fine = self.world.settings.start == "finetune"
        init = self.model.checkpoint if fine else self.world.settings.init
        extra_init = self.model.extra_weights if fine else None
        return replace(self.training, data=f"folder:{data}", init=init, extra_init=extra_init)
