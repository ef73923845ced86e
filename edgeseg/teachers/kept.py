"""What a build keeps on disk until it is done, so that an interruption costs no teacher run twice."""

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
from edgeseg.files import write_atomic


class Tally:
    """Confusion counts of every frame, one small file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, sample_id: str) -> bool:
        """Whether the frame was counted."""
        return self._path(sample_id).is_file()

    def put(self, sample_id: str, counts: NDArray[np.int64]) -> None:
        """Keeps the counts (K, C, C) of a frame.

        Raises:
            OutputError: The file cannot be written.
        """
        _write(self._path(sample_id), counts)

    def total(self, sample_ids: Sequence[str]) -> NDArray[np.int64]:
        """(K, C, C) int64 over the frames, each of which was counted."""
        return functools.reduce(np.add, (np.load(self._path(i)) for i in sample_ids))

    def _path(self, sample_id: str) -> Path:
        return self._folder / f"{sample_id}.npy"


class KeptProbs:
    """The teachers' probabilities of a dataset's frames, plain: they are read once and then thrown away.

    Args:
        folder: Place for the files.
        dataset: The frames; those of another dataset are not kept.
        keeps: Whether there is space for new frames; what is there already is read in any case.
    """

    def __init__(self, folder: Path, dataset: Dataset, keeps: bool) -> None:
        self._folder = folder
        self._dataset = dataset
        self._keeps = keeps

    def put(self, dataset: Dataset, index: int, probs: Sequence[Tensor]) -> None:
        """Keeps M tensors (C, H, W) float16 of a frame.

        Raises:
            OutputError: The file cannot be written.
        """
        if self._keeps and dataset is self._dataset:
            _write(self._path(index), torch.stack(list(probs)).numpy())

    def get(self, dataset: Dataset, index: int) -> list[Tensor] | None:
        """M tensors (C, H, W) float16 as they were kept, or None."""
        if dataset is not self._dataset:
            return None
        try:
            return list(torch.from_numpy(np.load(self._path(index))))
        except (OSError, EOFError, ValueError):
            return None

    def _path(self, index: int) -> Path:
        return self._folder / f"{self._dataset.sample_ids[index]}.npy"


def _write(path: Path, array: NDArray[np.generic]) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    write_atomic(path, stream.getvalue())
