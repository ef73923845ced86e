"""Frames that are separate images: one file, a folder of them, or a dataset's."""

from __future__ import annotations

import abc
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.errors import DataError
from edgeseg.frames.base import Frame, FrameSource, Reading
from edgeseg.images import IMAGE_SUFFIXES, read_image
from edgeseg.progress import warn


class _Images(FrameSource):
    """Images that can be read by their number."""

    @property
    @abc.abstractmethod
    def _ids(self) -> tuple[str, ...]:
        """Names of all images in their order."""

    @abc.abstractmethod
    def _read(self, index: int) -> NDArray[np.uint8]:
        """Reads one image as RGB (H, W, 3) uint8."""

    @property
    def length(self) -> int:
        """Number of frames, those that may turn out unreadable included."""
        return len(range(0, len(self._ids), self.reading.every))

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames; ``skipped`` counts those that could not be read."""
        self.skipped = 0
        for index in range(0, len(self._ids), self.reading.every):
            image = self._try(index)
            if image is not None:
                yield Frame(self.reading.upright(image), self._ids[index], index, None, self.spec)
        if self.skipped == self.length:
            raise DataError(f"{self.spec}: none of its {self.length} images can be read")

    def _try(self, index: int) -> NDArray[np.uint8] | None:
        try:
            return self._read(index)
        except DataError as error:
            if not self.reading.skip_broken:
                raise
            self.skipped += 1
            warn(f"frame skipped: {error}")
            return None


class Stills(_Images):
    """One image file, or every image beneath a folder in natural order (2 before 10)."""

    def __init__(self, path: Path, reading: Reading) -> None:
        super().__init__(str(path), reading)
        self._files = _images_beneath(path) if path.is_dir() else [path]
        if not self._files:
            raise DataError(f"{path}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
        if not self._files[0].exists():
            raise DataError(f"{path}: no such file")
        self._names = _ids_of(self._files, path if path.is_dir() else path.parent)

    @property
    def _ids(self) -> tuple[str, ...]:
        return self._names

    def _read(self, index: int) -> NDArray[np.uint8]:
        return read_image(self._files[index])


class DatasetFrames(_Images):
    """The images of a dataset ``LAYOUT:PATH[#SPLIT]``, in its order, by its sample ids."""

    def __init__(self, spec: str, reading: Reading) -> None:
        super().__init__(spec, reading)
        self._dataset = datasets.open(spec)
        if len(self._dataset) == 0:
            raise DataError(f"{spec}: holds no images")

    @property
    def _ids(self) -> tuple[str, ...]:
        return self._dataset.sample_ids

    def _read(self, index: int) -> NDArray[np.uint8]:
        return self._dataset.image(index)


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sorting key by which ``frame2`` comes before ``frame10``."""
    parts = re.split(r"([0-9]+)", text)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]


def _images_beneath(folder: Path) -> list[Path]:
    files = [p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    visible = [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return sorted(visible, key=lambda p: natural_key(p.relative_to(folder).as_posix()))


def _ids_of(files: list[Path], root: Path) -> tuple[str, ...]:
    """Relative paths without extension; files that differ in it alone keep it, so that ids stay unique."""
    names = [p.relative_to(root) for p in files]
    count = Counter(name.with_suffix("") for name in names)
    return tuple((name if count[name.with_suffix("")] > 1 else name.with_suffix("")).as_posix() for name in names)
