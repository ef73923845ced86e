"""Reading a cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.softlabels.info import FRAMES_NAME, CacheInfo, read_info
from edgeseg.softlabels.store import FrameStore


class SoftLabels(Mapping[str, NDArray[np.float32]]):
    """Sample id → soft labels (C, H, W) float32 at label size, Σ over C = 1, read from disk on access.

    Keeps no file open, so it may be pickled and shared with loader processes. A frame that is missing
    raises ``MissingFrameError`` (a ``CacheError`` and a ``KeyError``), a damaged one ``CacheError``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        info = read_info(folder)
        self._frames = FrameStore(folder / FRAMES_NAME)
        self._ids = frozenset(self._frames.ids())
        self.info: CacheInfo = replace(info, frames=len(self._ids), bytes=self._frames.bytes())

    def __getitem__(self, sample_id: str) -> NDArray[np.float32]:
        return self._frames.read(sample_id)

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._ids

    def __iter__(self) -> Iterator[str]:
        return (sample_id for sample_id in self.info.sample_ids if sample_id in self._ids)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def shape(self, sample_id: str) -> tuple[int, int, int]:
        """(C, H, W) of a frame, without reading its content.

        Raises:
            CacheError: The frame is missing or damaged.
        """
        return self._frames.shape(sample_id)

    def window(self, sample_id: str, top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
        """Soft labels (C, height, width) float32 of a part of a frame; equals the slice of the whole.

        Raises:
            CacheError: The frame is missing or damaged, or the window is not inside it.
        """
        return self._frames.window(sample_id, top, left, height, width)


def open_cache(path: Path | str) -> SoftLabels:
    """Opens a cache for reading.

    Raises:
        CacheError: The folder is no cache, damaged, or of a newer format.
    """
    return SoftLabels(Path(path))
