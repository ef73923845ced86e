"""Reading a cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.softlabels.frames import Frames, Size
from edgeseg.softlabels.info import CacheInfo, read_info
from edgeseg.softlabels.places import LocalPlace, place_of


class SoftLabels(Mapping[str, NDArray[np.float32]]):
    """Sample id → soft labels (C, H, W) float32 at label size, Σ over C = 1, read on access.

    Keeps no file open, so it may be pickled and shared with loader processes (``forkable``). A frame that is missing
    raises ``MissingFrameError`` (a ``CacheError`` and a ``KeyError``), a damaged one ``CacheError``.

    Attributes:
        where: Path or URL of the cache.
        info: What it holds.
        forkable: Whether processes that are forked from this one can read it. From an object store they would wait for
            ever: its library's threads are not among what a fork copies.
    """

    def __init__(self, where: Path | str) -> None:
        place = place_of(where)
        self.where, self.forkable = place.name, isinstance(place, LocalPlace)
        info = read_info(place)
        self._frames = Frames(place, info.sample_ids, info.class_map.num_classes)
        found = sum(sample_id in self._frames for sample_id in info.sample_ids)
        self.info: CacheInfo = replace(info, frames=found, bytes=self._frames.bytes)

    def __getitem__(self, sample_id: str) -> NDArray[np.float32]:
        _, height, width = self.shape(sample_id)
        return self.window(sample_id, 0, 0, height, width)

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._frames

    def __iter__(self) -> Iterator[str]:
        return (sample_id for sample_id in self.info.sample_ids if sample_id in self._frames)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def shape(self, sample_id: str) -> tuple[int, int, int]:
        """(C, H, W) of a frame, without reading its content.

        Raises:
            CacheError: The frame is missing.
        """
        layout = self._frames.layout(sample_id)
        return self.info.class_map.num_classes, layout.height, layout.width

    def keep(self, memory_mb: float) -> None:
        """From now on keeps what is read decoded, up to a bound in MiB: 4 bytes a class and sample of a frame's grid.

        For those who read the same frames again and again. What is read is the same; where frames do not fit, those
        that came first stay.
        """
        self._frames.keep(memory_mb)

    def window(
        self, sample_id: str, top: int, left: int, height: int, width: int, size: Size | None = None
    ) -> NDArray[np.float32]:
        """Soft labels of a part of a frame.

        Without ``size`` they equal the slice of the whole. With it they are resampled once, from the samples that
        the cache keeps, between which log-probabilities are interpolated; enlarging is as smooth as the teacher's
        own, and shrinking takes no average over what it skips.

        Args:
            sample_id: Whose.
            top: First row, in label pixels.
            left: First column.
            height: Rows.
            width: Columns.
            size: (h, w) of the result.

        Returns:
            (C, height, width) or (C, h, w) float32, Σ over C = 1.

        Raises:
            CacheError: The frame is missing or damaged, or the window is not inside it.
        """
        return self._frames.window(sample_id, top, left, height, width, size)


def open_cache(where: Path | str) -> SoftLabels:
    """Opens a cache for reading.

    Args:
        where: Folder, or URL of an object store.

    Raises:
        CacheError: It is no cache, damaged, or of another format.
        StoreError: The object store does not answer, or refuses.
    """
    return SoftLabels(where)
