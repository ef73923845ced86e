"""The drawn scene as a dataset, ``synthetic:N[#split]``."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.base import Dataset
from edgeseg.datasets.synthetic.classes import CLASS_MAP
from edgeseg.datasets.synthetic.scene import render
from edgeseg.datasets.synthetic.world import World, sample_world
from edgeseg.errors import DataError
from edgeseg.files import digest_text

FRAMES_PER_DRIVE = 20
_DRAWING_VERSION = 1
"""Counts changes of what is drawn, since digests stand for the pixels without painting them."""
_MAX_FRAMES = 100_000
_KEPT_FRAMES = 512
_KEPT_WORLDS = 4


def open_synthetic(path: str, split: str | None) -> SyntheticDataset:
    """Opens ``synthetic:N[#split]``.

    Args:
        path: Number of frames N, or ``NxHxW`` to choose another size, such as ``"200x96x144"``.
        split: Any name of letters, digits, ``-`` and ``_``; another name is another world. None is ``train``.

    Raises:
        DataError: The number, the size or the split's name cannot be used.
    """
    match = re.fullmatch(r"(\d+)(?:x(\d+)x(\d+))?", path)
    if match is None:
        raise DataError(f"synthetic:{path}: write the number of frames, such as synthetic:60 or synthetic:60x128x192")
    frames, *size = (int(part) for part in match.groups() if part is not None)
    height, width = size if size else (128, 192)
    return SyntheticDataset(frames, split or "train", height, width)


class SyntheticDataset(Dataset):
    """Drives of 20 frames each along a drawn road.

    A frame depends on the split's name and its index alone: never on the order of access, nor on N.

    Args:
        frames: Number of frames N, 1 to 100000.
        split: Name that the worlds are drawn from.
        height: Image height in pixels, 32 to 2048.
        width: Image width in pixels, 32 to 4096.

    Raises:
        DataError: A value is out of range.
    """

    def __init__(self, frames: int, split: str = "train", height: int = 128, width: int = 192) -> None:
        if not 1 <= frames <= _MAX_FRAMES:
            raise DataError(f"synthetic:{frames}: the number of frames must be 1 to {_MAX_FRAMES}")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", split):
            raise DataError(f"synthetic:{frames}#{split}: a split's name takes letters, digits, - and _ only")
        if not (32 <= height <= 2048 and 32 <= width <= 4096):
            raise DataError(f"synthetic: size {height}x{width} is out of range; 32x32 to 2048x4096 are possible")
        shape = "" if (height, width) == (128, 192) else f"x{height}x{width}"
        self.spec = f"synthetic:{frames}{shape}#{split}"
        self.class_map = CLASS_MAP
        self.has_labels = True
        self.split, self.height, self.width = split, height, width
        self.sample_ids = tuple(f"{split}/drive{i // FRAMES_PER_DRIVE:02d}/{i:06d}" for i in range(frames))

    def image(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.image``."""
        return self._frame(index)[0].copy()

    def label(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.label``."""
        return self._frame(index)[1].copy()

    def size(self, index: int) -> tuple[int, int]:
        """See ``Dataset.size``."""
        return self.height, self.width

    def label_bytes(self, index: int) -> bytes:
        """What the label is drawn from, which is cheaper than the label and says the same."""
        return f"{_DRAWING_VERSION} {self.height}x{self.width} {self.sample_ids[index]}".encode()

    def _frame(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return _painted(self.split, range(len(self))[index], self.height, self.width)


@lru_cache(maxsize=_KEPT_FRAMES)
def _painted(split: str, index: int, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    drive, time = divmod(index, FRAMES_PER_DRIVE)
    rng = np.random.default_rng([_seed(split), drive, time, 1])
    return render(_world(split, drive), time, height, width, rng)


@lru_cache(maxsize=_KEPT_WORLDS)
def _world(split: str, drive: int) -> World:
    return sample_world(np.random.default_rng([_seed(split), drive]), FRAMES_PER_DRIVE)


def _seed(split: str) -> int:
    return int(digest_text(f"edgeseg synthetic {split}")[:12], 16)
