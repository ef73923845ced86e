"""A folder of frame files, found by sample id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.files import write_atomic, writing
from edgeseg.softlabels import framefile
from edgeseg.softlabels.coding import Bits, encode
from edgeseg.softlabels.framefile import EncodedFrame


class FrameStore:
    """Soft labels by sample id; each frame is one file, whole or absent.

    Args:
        folder: Where the files are; made when the first is written.
        bits: How finely new frames are coded; frames are read as they are.
    """

    def __init__(self, folder: Path, bits: Bits = 8) -> None:
        self.folder = folder
        self._bits = bits

    def path(self, sample_id: str) -> Path:
        """Where a frame's file is or would be.

        Raises:
            CacheError: The id would lead out of the folder.
        """
        parts = PurePosixPath(sample_id)
        if not sample_id or parts.is_absolute() or ".." in parts.parts:
            raise CacheError(f"sample id {sample_id!r} is not a relative path; it cannot name a frame of a cache")
        return self.folder / f"{sample_id}{framefile.SUFFIX}"

    def ids(self) -> Iterator[str]:
        """Sample ids that have a file, sorted by path."""
        for path in sorted(self.folder.rglob(f"*{framefile.SUFFIX}")):
            yield path.relative_to(self.folder).as_posix().removesuffix(framefile.SUFFIX)

    def bytes(self) -> int:
        """Size of all frame files."""
        return sum(path.stat().st_size for path in self.folder.rglob(f"*{framefile.SUFFIX}"))

    def has(self, sample_id: str) -> bool:
        """Whether the frame is there and every checksum of it is right."""
        try:
            framefile.check(self.path(sample_id), sample_id)
        except CacheError:
            return False
        return True

    def put(self, sample_id: str, probs: NDArray[np.float32]) -> None:
        """Writes one frame, whole or not at all, synced to disk.

        Args:
            sample_id: Path relative to the dataset, without the extension.
            probs: (C, H, W) float32, Σ over C = 1.

        Raises:
            CacheError: ``probs`` are no probabilities.
            OutputError: The file cannot be written.
        """
        try:
            frame = framefile.compress(encode(probs, self._bits))
        except CacheError as error:
            raise CacheError(f"{sample_id}: {error}") from None
        self.put_encoded(sample_id, frame)

    def put_encoded(self, sample_id: str, frame: EncodedFrame) -> None:
        """Writes one frame that was encoded before, whole or not at all, synced to disk.

        Raises:
            OutputError: The file cannot be written.
        """
        write_atomic(self.path(sample_id), framefile.pack(sample_id, frame))

    def discard(self, sample_id: str) -> None:
        """Removes a frame, if it is there.

        Raises:
            OutputError: The file cannot be removed.
        """
        path = self.path(sample_id)
        with writing(path):
            path.unlink(missing_ok=True)

    def shape(self, sample_id: str) -> tuple[int, int, int]:
        """(C, H, W) of a frame, from its header.

        Raises:
            CacheError: The frame is missing or damaged.
        """
        return framefile.read_header(self.path(sample_id), sample_id).shape

    def read(self, sample_id: str) -> NDArray[np.float32]:
        """Probabilities (C, H, W) float32 of a frame.

        Raises:
            CacheError: The frame is missing or damaged.
        """
        _, height, width = self.shape(sample_id)
        return self.window(sample_id, 0, 0, height, width)

    def window(self, sample_id: str, top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
        """Probabilities (C, height, width) float32 of a part of a frame, read without the rest.

        Raises:
            CacheError: The frame is missing or damaged, or the window is not inside it.
        """
        return framefile.read_window(self.path(sample_id), sample_id, top, left, height, width)
