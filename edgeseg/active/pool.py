"""The frames that are asked about, as a method may see them: images, and the answers so far, never a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.answers import NOT_ASKED, Answers
from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.datasets import Dataset
from edgeseg.frames import Frame


class Unlabeled(Dataset):
    """A dataset whose labels cannot be read, whoever asks."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.spec = dataset.spec
        self.class_map = dataset.class_map
        self.sample_ids = dataset.sample_ids
        self.has_labels = False

    def image(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.image``."""
        return self._dataset.image(index)

    def label(self, index: int) -> NDArray[np.uint8]:
        """Raises, since selection must not know what it asks for."""
        raise PermissionError(f"{self.spec}: the label of {self.sample_ids[index]} is asked for without the oracle")

    def size(self, index: int) -> tuple[int, int]:
        """See ``Dataset.size``."""
        return self._dataset.size(index)


@dataclass(frozen=True)
class Pool:
    """Q: frames without labels, and what the oracle has said of them so far.

    Attributes:
        frames: The frames; index i of the pool is sample i.
        answers: What was asked and answered.
    """

    frames: Dataset
    answers: Answers

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def class_map(self) -> ClassMap:
        """Of the answers."""
        return self.frames.class_map

    def frame(self, index: int) -> Frame:
        """One frame as a vehicle would see it."""
        image = np.ascontiguousarray(self.frames.image(index))
        return Frame(image, self.frames.sample_ids[index], index, None, self.frames.spec)

    def pixels(self, index: int) -> int:
        """Pixels of a frame."""
        height, width = self.frames.size(index)
        return height * width

    def asked(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, what was asked of a frame before; None where nothing was."""
        answer = self.answers.read(self.frames.sample_ids[index])
        return None if answer is None else answer != NOT_ASKED

    def known(self, index: int) -> NDArray[np.uint8] | None:
        """(H, W) uint8, train ids of what was answered, 255 where it was void or not asked; None: nothing was asked."""
        answer = self.answers.read(self.frames.sample_ids[index])
        return None if answer is None else np.where(answer == NOT_ASKED, np.uint8(IGNORE_INDEX), answer)

    def untouched(self) -> list[int]:
        """Frames of which nothing was asked yet."""
        return [i for i, sample_id in enumerate(self.frames.sample_ids) if sample_id not in self.answers]

    def touched(self) -> list[int]:
        """Frames of which something was asked."""
        return [i for i, sample_id in enumerate(self.frames.sample_ids) if sample_id in self.answers]


class Outside:
    """Labels that a method is given outside of the budget; every frame is counted once.

    Args:
        read: Index in the pool → label.
    """

    def __init__(self, read: Callable[[int], NDArray[np.uint8]]) -> None:
        self._read = read
        self._pixels: dict[int, int] = {}

    def label(self, index: int) -> NDArray[np.uint8]:
        """Label (H, W) uint8 train ids of a frame of the pool."""
        found = self._read(index)
        self._pixels[index] = found.size
        return found

    @property
    def pixels(self) -> int:
        """Pixels given so far."""
        return sum(self._pixels.values())
