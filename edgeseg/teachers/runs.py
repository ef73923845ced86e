"""Running the teachers over a dataset, with what must survive an interruption kept on disk."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.datasets import Dataset
from edgeseg.files import atomic_path, write_atomic
from edgeseg.metrics import ConfusionMatrix
from edgeseg.progress import track
from edgeseg.teachers.teacher import Teacher


class Tally:
    """Confusion counts of every frame, one small file each, so that an interrupted run need not count again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, sample_id: str) -> bool:
        """Whether the frame was counted."""
        return self._path(sample_id).is_file()

    def put(self, sample_id: str, label: NDArray[np.uint8], probs: Sequence[Tensor]) -> None:
        """Counts label (H, W) uint8 against the argmax of each (C, H, W).

        Raises:
            DataError: Label and probabilities differ in size.
            OutputError: The file cannot be written.
        """
        stream = io.BytesIO()
        np.save(stream, np.stack([_counts(label, p) for p in probs]))
        write_atomic(self._path(sample_id), stream.getvalue())

    def total(self, sample_ids: Sequence[str]) -> NDArray[np.int64]:
        """(M, C, C) int64 over the frames, M as many as each ``put`` had."""
        return functools.reduce(np.add, (np.load(self._path(i)) for i in sample_ids))

    def _path(self, sample_id: str) -> Path:
        return self._folder / f"{sample_id}.npy"


class Kept:
    """One teacher's probabilities by frame, float16, uncompressed: written once, read once, and then removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, sample_id: str) -> bool:
        """Whether the frame was kept."""
        return self._path(sample_id).is_file()

    def put(self, sample_id: str, probs: Tensor) -> None:
        """Keeps (C, H, W) probabilities.

        Raises:
            OutputError: The file cannot be written.
        """
        with atomic_path(self._path(sample_id)) as partial, partial.open("wb") as stream:
            np.save(stream, probs.numpy().astype(np.float16))

    def read(self, sample_id: str) -> Tensor:
        """(C, H, W) float32, Σ over C = 1 again."""
        probs = torch.from_numpy(np.load(self._path(sample_id))).float()
        return probs / probs.sum(dim=0)

    def _path(self, sample_id: str) -> Path:
        return self._folder / f"{sample_id}.npy"


class TeacherRuns:
    """The teachers' probabilities on a dataset's frames, and their confusion where there are labels.

    Args:
        teachers: The M teachers.
        dataset: The frames.
        folder: Place for what is kept.
        keep: Whether probabilities are kept too. Whoever asks then gets them as they were kept, so that it makes
            no difference whether a run was interrupted.
    """

    def __init__(self, teachers: Sequence[Teacher], dataset: Dataset, folder: Path, keep: bool) -> None:
        self._teachers = teachers
        self._dataset = dataset
        self._tally = Tally(folder / "counts")
        names = [f"teacher{number}" for number in range(1, len(teachers) + 1)]
        self._stores = [Kept(folder / name) for name in names] if keep else []

    def probs(self, index: int) -> list[Tensor]:
        """M tensors (C, H, W) float32 on the CPU, of one frame; counted against its label on the way."""
        sample_id = self._dataset.sample_ids[index]
        kept = bool(self._stores) and all(store.has(sample_id) for store in self._stores)
        probs = self._kept(sample_id) if kept else self._run(index)
        if self._dataset.has_labels and not self._tally.has(sample_id):
            self._tally.put(sample_id, self._dataset.label(index), probs)
        return probs

    def counts(self, what: str) -> NDArray[np.int64]:
        """(M, C, C) confusion counts over the dataset; runs the teachers on frames not yet counted.

        Args:
            what: Description for the progress bar.
        """
        ids = self._dataset.sample_ids
        for index in track(range(len(ids)), what):
            if not self._tally.has(ids[index]):
                self.probs(index)
        return self._tally.total(ids)

    def _run(self, index: int) -> list[Tensor]:
        image = self._dataset.image(index)
        height, width = image.shape[:2]
        probs = [teacher.probs(image, height, width).cpu() for teacher in self._teachers]
        if not self._stores:
            return probs
        sample_id = self._dataset.sample_ids[index]
        for store, p in zip(self._stores, probs, strict=True):
            store.put(sample_id, p)
        return self._kept(sample_id)

    def _kept(self, sample_id: str) -> list[Tensor]:
        return [store.read(sample_id) for store in self._stores]


def _counts(label: NDArray[np.uint8], probs: Tensor) -> NDArray[np.int64]:
    matrix = ConfusionMatrix(probs.shape[0])
    matrix.update(label, probs.argmax(dim=0).to(torch.uint8).numpy())
    return matrix.counts
