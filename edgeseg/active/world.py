"""What all strategies of one seed share: P and Q, their images, and how their networks are trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.active.answers import Answers, require_room
from edgeseg.active.choices import Budget
from edgeseg.active.methods import Method
from edgeseg.active.partial import Known, write_images, write_unlabeled
from edgeseg.active.pool import Pool, Unlabeled
from edgeseg.active.settings import ActiveSettings
from edgeseg.datasets import Dataset, Subset
from edgeseg.errors import ConfigError
from edgeseg.students import TrainSettings


@dataclass(frozen=True)
class World:
    """One seed of a run.

    Attributes:
        settings: Of the run.
        out: Its folder.
        seed: The seed.
        data: All frames with their labels.
        val: What is reported on.
        initial: Numbers in ``data`` of P, rising.
        asked: Numbers in ``data`` of Q, rising.
    """

    settings: ActiveSettings
    out: Path
    seed: int
    data: Dataset
    val: Dataset
    initial: tuple[int, ...]
    asked: tuple[int, ...]

    @property
    def folder(self) -> Path:
        """Of the seed."""
        return self.out / f"seed-{self.seed}"

    @cached_property
    def frames(self) -> Unlabeled:
        """Q without its labels."""
        return Unlabeled(Subset(self.data, self.asked))

    def pool(self, answers: Answers) -> Pool:
        """Q after some answers."""
        return Pool(self.frames, answers)

    def known(self, answers: Answers) -> Known:
        """What is known after some answers."""
        return Known(Subset(self.data, self.initial), self.pool(answers))

    def truth(self, index: int) -> NDArray[np.uint8]:
        """Label of a frame of Q; for the oracle alone."""
        return self.data.label(self.asked[index])

    @property
    def group(self) -> int:
        """Frames of a round."""
        return self.settings.group or max(1, len(self.asked) // self.settings.rounds)

    @cached_property
    def pool_pixels(self) -> int:
        """Pixels of Q."""
        return sum(self._pixels(number) for number in self.asked)

    @cached_property
    def initial_pixels(self) -> int:
        """Pixels of P."""
        return sum(self._pixels(number) for number in self.initial)

    def _pixels(self, number: int) -> int:
        height, width = self.data.size(number)
        return height * width

    @property
    def budget(self) -> Budget:
        """Of one round."""
        if self.settings.budget_clicks is not None:
            return Budget("clicks", self.settings.budget_clicks)
        return Budget("pixels", int(self.settings.share * self.group * self.pool_pixels / len(self.asked)))

    @cached_property
    def images(self) -> Path:
        """Folder with every image of ``data`` as PNG, made once for all seeds."""
        folder = self.out / "images"
        write_images(self.data, folder)
        return folder

    def numbers(self, answers: Answers) -> list[int]:
        """Number in ``images`` of each frame of ``known``."""
        return [*self.initial, *(self.asked[i] for i in self.pool(answers).touched())]

    def training(self, method: Method | None = None) -> TrainSettings:
        """Settings of a round's training, as run and method want it; ``data`` and ``init`` are still to be set."""
        batch = self.settings.trained(self.seed, 1).batch_size
        settings = self.settings.trained(self.seed, max(1, len(self.data) // batch))
        if settings.height is None:
            height, width = self.data.size(0)
            settings = replace(settings, height=height, width=width)
        if self.settings.semi or (method is not None and method.semi):
            folder = self.folder / "unlabeled"
            write_unlabeled(self.data.class_map, self.images, self.asked, folder)
            settings = replace(settings, unlabeled=f"folder:{folder}")
        return method.training(settings) if method is not None else settings


def open_world(settings: ActiveSettings, out: Path, seed: int) -> World:
    """Splits the data by a seed.

    Raises:
        ConfigError: The data cannot be split so, or ``val`` has other classes.
        DataError: A dataset cannot be opened or has no labels.
    """
    data, val = datasets.open(settings.data), datasets.open(settings.val)
    for dataset in (data, val):
        datasets.require_usable(dataset)
    if not val.class_map.same_classes(data.class_map):
        raise ConfigError(f"--val {settings.val}: its classes are not those of --data {settings.data}")
    require_room(data.class_map.num_classes)
    count = int(settings.initial) if settings.initial >= 1 else round(settings.initial * len(data))
    left = len(data) - count
    if count < 1 or left < settings.rounds * (settings.group or 1):
        raise ConfigError(
            f"{settings.data} has {len(data)} frames: initial {settings.initial:g} takes {count}, which leaves {left} "
            f"for {settings.rounds} rounds of {settings.group or 'at least 1'}; lower initial, rounds or group"
        )
    order = np.random.default_rng(seed).permutation(len(data)).tolist()
    return World(settings, out.resolve(), seed, data, val, tuple(sorted(order[:count])), tuple(sorted(order[count:])))
