"""Which unlabeled frames an iteration sees."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from edgeseg.students import augment
from edgeseg.students.semi.unlabeled import UnlabeledKey


@dataclass
class UnlabeledStream:
    """All unlabeled samples of a training in one line: shuffled passes over the frames, one after another.

    A position's frame is a function of position and seed, so that a resumed run sees what an uninterrupted one sees,
    and every frame is seen once before any is seen again.

    Attributes:
        frames: Number of unlabeled frames M.
        batch_size: Samples an iteration.
        seed: Of the training.
        start_epoch: Epochs before it see none.
    """

    frames: int
    batch_size: int
    seed: int
    start_epoch: int
    _shuffled: tuple[int, list[int]] = field(default=(-1, []), init=False, repr=False)

    def keys(self, epoch: int, iteration: int) -> list[UnlabeledKey]:
        """The samples of an iteration, counted from 0 over the whole training."""
        if epoch < self.start_epoch:
            return []
        first = iteration * self.batch_size
        return [UnlabeledKey(position, self._index(position)) for position in range(first, first + self.batch_size)]

    def _index(self, position: int) -> int:
        number, place = divmod(position, self.frames)
        if self._shuffled[0] != number:
            generator = torch.Generator().manual_seed(augment.seed_of(self.seed, number, "unlabeled pass"))
            self._shuffled = number, torch.randperm(self.frames, generator=generator).tolist()
        return self._shuffled[1][place]
