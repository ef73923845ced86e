"""What the oracle said, one PNG for each frame of which something was asked."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError
from edgeseg.images import read_label, write_png

NOT_ASKED = 254
"""Value of a pixel that nobody was asked about; 255 is a pixel that was asked for and belongs to no class."""


class Answers:
    """Answers of the rounds so far; later folders win.

    Args:
        folders: One for each round, earliest first; each holds the whole answer of the frames of that round.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self.folders = folders
        self._path: dict[str, Path] = {}
        for folder in folders:
            for path in folder.rglob("*.png"):
                self._path[path.relative_to(folder).with_suffix("").as_posix()] = path

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._path

    def read(self, sample_id: str) -> NDArray[np.uint8] | None:
        """(H, W) uint8: train ids, 255 void, ``NOT_ASKED``; None where nothing was asked of the frame."""
        path = self._path.get(sample_id)
        return None if path is None else read_label(path)

    def sample_ids(self) -> list[str]:
        """Frames of which something was asked, sorted."""
        return sorted(self._path)


def write_answer(folder: Path, sample_id: str, answer: NDArray[np.uint8]) -> None:
    """Writes one frame's whole answer into a round's folder."""
    path = folder / f"{PurePosixPath(sample_id)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, answer)


def require_room(classes: int) -> None:
    """Raises ``ConfigError`` where a class would have the number that stands for not asked."""
    if classes > NOT_ASKED:
        raise ConfigError(f"active learning handles at most {NOT_ASKED} classes, the dataset has {classes}")
