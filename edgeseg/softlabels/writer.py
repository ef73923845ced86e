"""Writing a cache: one writer at a time, each frame whole or absent, resumable after a crash."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.files import digest_text, writing
from edgeseg.softlabels.encoding import EncodedFrame, encode_frame, require_classes
from edgeseg.softlabels.frames import Frames
from edgeseg.softlabels.info import INFO_NAME, CacheInfo, read_info, write_info
from edgeseg.softlabels.places import LocalPlace, place_of

_SCRATCH_NAME: Final = "scratch"


class CacheWriter:
    """The one writer of a cache; a context manager.

    In a folder a lock of the kernel keeps others out, and falls with the process. In an object store an object
    ``.lock`` does, which the next writer takes over from one that was killed (``StoreLock``).

    Args:
        folder: The cache, a folder or the URL of an object store. A new writer makes it; a resumed one goes on with
            what is there.
        info: What the cache is to hold. Class weights measured by an earlier run are taken over.
        resume: Whether an existing cache is continued.

    Raises:
        CacheError: The cache exists and ``resume`` is False, or it was made by other teachers, data or
            settings (the message says which), or another process writes it, or the folder is foreign.
        OutputError: The place cannot be written.
    """

    def __init__(self, folder: Path | str, info: CacheInfo, resume: bool = False) -> None:
        self._place = place_of(folder)
        is_new = isinstance(self._place, LocalPlace) and _prepared(self._place.folder)
        self._lock: Any = None
        try:
            self._lock = self._place.lock()
            self.info = self._begin(info, resume)
            self._frames = Frames(self._place, self.info.sample_ids, self.info.class_map.num_classes)
        except BaseException:
            self.close()
            if is_new and isinstance(self._place, LocalPlace):
                shutil.rmtree(self._place.folder, ignore_errors=True)
            raise

    def _begin(self, info: CacheInfo, resume: bool) -> CacheInfo:
        if isinstance(self._place, LocalPlace):
            for leftover in self._place.folder.rglob(".*.partial"):
                leftover.unlink(missing_ok=True)
        if not self._place.has(INFO_NAME):
            write_info(self._place, info)
            return info
        if not resume:
            raise CacheError(
                f"{self._place.name}: a cache is there already; continue it with --resume or name another --out"
            )
        old = read_info(self._place)
        if different := old.differences(info):
            raise CacheError(
                f"{self._place.name}: cannot be resumed, since it was made otherwise: {'; '.join(different)}. "
                "Use the settings of before, or name another --out"
            )
        return old

    @property
    def scratch(self) -> Path:
        """Local folder for intermediate files of the build; ``finish`` removes it.

        Inside the cache, or among the machine's temporary files where that is in an object store.
        """
        if isinstance(self._place, LocalPlace):
            return self._place.folder / _SCRATCH_NAME
        return Path(tempfile.gettempdir()) / f"edgeseg-{digest_text(self._place.name + self.info.fingerprint)[:16]}"

    def has(self, sample_id: str) -> bool:
        """Whether the frame is there and every checksum of it is right."""
        try:
            self._frames.check(sample_id)
        except CacheError:
            return False
        return True

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
            CacheError: The frame is not one of the cache's, or has another number of classes.
            OutputError: The file cannot be written.
        """
        try:
            require_classes(frame.shape, self.info)
        except CacheError as error:
            raise CacheError(f"{sample_id}: {error}") from None
        self._frames.put(sample_id, frame)

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

    def attach(self, name: str, text: str) -> None:
        """Puts a file beside the frames, for people.

        Raises:
            OutputError: It cannot be written.
        """
        self._place.write(name, text.encode())

    def finish(self, gate: Mapping[str, Any]) -> None:
        """Marks the cache complete, records the gate figures and removes the scratch folder.

        Raises:
            OutputError: The place cannot be written.
        """
        self._update(replace(self.info, gate=dict(gate), complete=True))
        with writing(self.scratch):
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _update(self, info: CacheInfo) -> None:
        write_info(self._place, info)
        self.info = info

    def close(self) -> None:
        """Lets another writer in."""
        if self._lock is not None:
            self._place.unlock(self._lock)
            self._lock = None

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _prepared(folder: Path) -> bool:
    """Makes the folder of a cache, and tells whether it was not there."""
    _refuse_foreign(folder)
    is_new = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return is_new


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise CacheError(f"{folder}: is a file; name a folder for the cache")
    if not folder.is_dir() or (folder / INFO_NAME).exists():
        return
    if any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise CacheError(f"{folder}: is not empty and not a soft-label cache; name another --out")
