"""Writing a cache: one writer at a time, each frame whole or absent, resumable after a crash."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.files import writing
from edgeseg.softlabels.coding import encode
from edgeseg.softlabels.framefile import EncodedFrame, compress
from edgeseg.softlabels.info import FRAMES_NAME, INFO_NAME, CacheInfo, read_info, write_info
from edgeseg.softlabels.store import FrameStore

_LOCK_NAME: Final = ".lock"
_SCRATCH_NAME: Final = "scratch"


class CacheWriter:
    """The one writer of a cache folder; a context manager.

    Args:
        folder: The cache. A new writer makes it; a resumed one goes on with what is there.
        info: What the cache is to hold. Class weights measured by an earlier run are taken over.
        resume: Whether an existing cache is continued.

    Raises:
        CacheError: The cache exists and ``resume`` is False, or it was made by other teachers, data or
            settings (the message says which), or another process writes it, or the folder is foreign.
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, info: CacheInfo, resume: bool = False) -> None:
        _refuse_foreign(folder)
        is_new = not folder.exists()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = _lock(folder)
        try:
            self.info = self._begin(info, resume)
        except BaseException:
            self.close()
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._frames = FrameStore(folder / FRAMES_NAME)

    def _begin(self, info: CacheInfo, resume: bool) -> CacheInfo:
        for leftover in self.folder.rglob(".*.partial"):
            leftover.unlink(missing_ok=True)
        if not (self.folder / INFO_NAME).exists():
            write_info(self.folder, info)
            return info
        if not resume:
            raise CacheError(
                f"{self.folder}: a cache is there already; continue it with --resume or name another --out"
            )
        old = read_info(self.folder)
        if different := old.differences(info):
            raise CacheError(
                f"{self.folder}: cannot be resumed, since it was made otherwise: {'; '.join(different)}. "
                "Use the settings of before, or name another --out"
            )
        return old

    @property
    def scratch(self) -> Path:
        """Folder for intermediate files of the build; ``finish`` removes it."""
        return self.folder / _SCRATCH_NAME

    def has(self, sample_id: str) -> bool:
        """Whether the frame is there and whole."""
        return self._frames.has(sample_id)

    def put(self, sample_id: str, probs: NDArray[np.float32]) -> None:
        """Writes one frame (C, H, W) float32, whole or not at all.

        Raises:
            CacheError: The frame is not one of the cache's, or no probabilities of its classes.
            OutputError: The file cannot be written.
        """
        try:
            frame = encode_frame(probs, self.info)
        except CacheError as error:
            raise CacheError(f"{sample_id}: {error}") from None
        self.put_encoded(sample_id, frame)

    def put_encoded(self, sample_id: str, frame: EncodedFrame) -> None:
        """Writes one frame that ``encode_frame`` made, here or in another process, whole or not at all.

        Raises:
            CacheError: The frame has another number of classes than the cache.
            OutputError: The file cannot be written.
        """
        try:
            _require_classes(frame.shape, self.info)
        except CacheError as error:
            raise CacheError(f"{sample_id}: {error}") from None
        self._frames.put_encoded(sample_id, frame)

    def discard(self, sample_id: str) -> None:
        """Removes a frame, whole or damaged, so that it counts as missing.

        Raises:
            OutputError: It cannot be removed.
        """
        self._frames.discard(sample_id)

    def set_class_weights(self, class_weights: Sequence[Sequence[float]]) -> None:
        """Records the (M, C) weights, so that a resumed run uses the same.

        Raises:
            OutputError: The file cannot be written.
        """
        rows = tuple(tuple(float(c) for c in row) for row in class_weights)
        self._update(replace(self.info, class_weights=rows))

    def finish(self, gate: Mapping[str, Any]) -> None:
        """Marks the cache complete, records the gate figures and removes the scratch folder.

        Raises:
            OutputError: The place cannot be written.
        """
        self._update(replace(self.info, gate=dict(gate), complete=True))
        with writing(self.scratch):
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _update(self, info: CacheInfo) -> None:
        write_info(self.folder, info)
        self.info = info

    def close(self) -> None:
        """Lets another writer in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def encode_frame(probs: NDArray[np.float32], info: CacheInfo) -> EncodedFrame:
    """Encodes one frame for a cache; a function of its arguments alone, so any process may do it.

    Args:
        probs: (C, H, W) float32, Σ over C = 1.
        info: Of the cache that it is for.

    Returns:
        Plain data that may be pickled, for ``CacheWriter.put_encoded``.

    Raises:
        CacheError: ``probs`` are no probabilities of the cache's classes.
    """
    _require_classes(probs.shape, info)
    return compress(encode(probs))


def _require_classes(shape: tuple[int, ...], info: CacheInfo) -> None:
    if shape[0] != info.class_map.num_classes:
        raise CacheError(f"has {shape[0]} channels, the cache {info.class_map.num_classes} classes")


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise CacheError(f"{folder}: is a file; name a folder for the cache")
    if not folder.is_dir() or (folder / INFO_NAME).exists():
        return
    if any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise CacheError(f"{folder}: is not empty and not a soft-label cache; name another --out")


def _lock(folder: Path) -> int | None:
    # The kernel drops the lock with the process, so a killed writer leaves nothing to clean up.
    with writing(folder):
        handle = os.open(folder / _LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise CacheError(
            f"{folder}: another process is writing this cache; wait for it or name another --out"
        ) from None
    return handle
