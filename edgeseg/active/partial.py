"""Partly labeled data: what is known of P and Q, and the folder that a training reads it from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.pool import Pool
from edgeseg.classes import ClassMap
from edgeseg.datasets import Dataset
from edgeseg.datasets.labeled import IMAGES, MASKS, write_classes
from edgeseg.errors import DataError, OutputError
from edgeseg.files import atomic_folder
from edgeseg.images import write_png

Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Frame (H, W, 3) → train ids (H, W) that the model says; 255 where it sees nothing."""


class Known(Dataset):
    """P whole, then the answered frames of Q with 255 where nothing was asked.

    Args:
        initial: P.
        pool: Q.
    """

    def __init__(self, initial: Dataset, pool: Pool) -> None:
        self._initial, self._pool = initial, pool
        self._answered = pool.touched()
        self.spec, self.class_map, self.has_labels = initial.spec, initial.class_map, True
        self.sample_ids = (*initial.sample_ids, *(pool.frames.sample_ids[i] for i in self._answered))

    @property
    def initial(self) -> int:
        """Frames of P."""
        return len(self._initial)

    def image(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.image``."""
        if index < self.initial:
            return self._initial.image(index)
        return self._pool.frames.image(self._answered[index - self.initial])

    def label(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.label``."""
        if index < self.initial:
            return self._initial.label(index)
        known = self._pool.known(self._answered[index - self.initial])
        assert known is not None
        return known

    def asked(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, what was asked for; None where the frame is one of P."""
        return None if index < self.initial else self._pool.asked(self._answered[index - self.initial])


def write_images(dataset: Dataset, folder: Path) -> None:
    """Makes every image of a dataset a PNG ``folder/NNNNN.png``, numbered in its order: a link where it is one already.

    Raises:
        OutputError: The place cannot be written.
    """

    def fill(partial: Path) -> None:
        for index in range(len(dataset)):
            files, target = dataset.files(index), partial / f"{index:05d}.png"
            if files and files[0].suffix.lower() == ".png":
                target.symlink_to(files[0].resolve())
            else:
                write_png(target, dataset.image(index))

    made_once(folder, fill)


def write_unlabeled(class_map: ClassMap, images: Path, numbers: Sequence[int], folder: Path) -> None:
    """Writes a folder that reads as ``folder:PATH`` without labels.

    Args:
        class_map: Of the labels that it has not.
        images: Folder of ``write_images``.
        numbers: Of its frames.
        folder: Where to.

    Raises:
        OutputError: The place cannot be written.
    """

    def fill(partial: Path) -> None:
        (partial / IMAGES).mkdir()
        for number in numbers:
            _link(images, number, partial)
        write_classes(class_map, partial)

    made_once(folder, fill)


def made_once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder unless it is there; of several processes at once the first one's stays.

    Args:
        folder: The folder.
        fill: Puts its content into a temporary one.
    """
    if folder.exists():
        return
    try:
        with atomic_folder(folder) as partial:
            fill(partial)
    except OutputError:
        if not folder.exists():
            raise


def write_training_data(
    known: Known, images: Path, numbers: Sequence[int], folder: Path, predict: Predict | None
) -> None:
    """Writes the folder that a round's training reads as ``folder:PATH``.

    Args:
        known: What is known.
        images: Folder of ``write_images``.
        numbers: Number in ``images`` of each frame of ``known``.
        folder: Where to; it is whole or not there.
        predict: Gives the pixels that were not asked for their label; None leaves them ignored.

    Raises:
        DataError: A label and its image differ in size.
        OutputError: The place cannot be written.
    """
    with atomic_folder(folder) as partial:
        (partial / IMAGES).mkdir()
        (partial / MASKS).mkdir()
        for index, number in enumerate(numbers):
            _link(images, number, partial)
            write_png(partial / MASKS / f"{number:05d}.png", completed(known, index, predict))
        write_classes(known.class_map, partial)


def _link(images: Path, number: int, folder: Path) -> None:
    name = f"{number:05d}.png"
    (folder / IMAGES / name).symlink_to((images / name).resolve())


def completed(known: Known, index: int, predict: Predict | None) -> NDArray[np.uint8]:
    """A frame's label (H, W) as it is trained on: what is known, and elsewhere the prediction, or 255."""
    label, asked = known.label(index), known.asked(index)
    if asked is None or predict is None or asked.all():
        return label
    predicted = predict(known.image(index))
    if predicted.shape != label.shape:
        raise DataError(f"{known.spec}: {known.sample_ids[index]} is {predicted.shape}, its label {label.shape}")
    return np.where(asked, label, predicted)
