"""Where a cache lies: a local folder, or an object store by URL (s3://, gs://, az://, https://, memory://).

Keys are relative paths with slashes. Every write leaves an object whole or as it was before: a local file is synced
and renamed, a store puts objects at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from edgeseg.errors import CacheError, OutputError, StoreError
from edgeseg.files import write_atomic, writing
from edgeseg.softlabels.store_lock import LOCK_NAME, StoreLock
from edgeseg.stores import failing_as, folder_or_url, obstore, open_store


class Place(Protocol):
    """What a cache needs of the place where it lies.

    A missing object is a ``FileNotFoundError``; an object store that does not answer or refuses a ``StoreError``.

    Attributes:
        name: Path or URL, for messages.
    """

    name: str

    def has(self, key: str) -> bool:
        """Whether the object is there."""

    def read(self, key: str) -> bytes:
        """The whole object."""

    def read_parts(self, key: str, parts: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts of an object, each (first byte, bytes); shorter where the object ends before."""

    def write(self, key: str, content: bytes) -> None:
        """Puts an object, whole or not at all; raises ``OutputError``."""

    def delete(self, key: str) -> None:
        """Removes an object, if it is there; raises ``OutputError``."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object below a prefix, by key, in order of the keys."""

    def lock(self) -> Any:
        """Becomes the one writer, and gives what ``unlock`` wants; raises ``CacheError`` where there is another."""

    def unlock(self, lock: Any) -> None:
        """Lets another writer in."""


def place_of(where: Path | str) -> Place:
    """The place that a path or URL names; whether it can be used shows when it is."""
    where = folder_or_url(where)
    if isinstance(where, Path):
        return LocalPlace(where)
    if where.startswith("file://"):
        return LocalPlace(Path(unquote(urlsplit(where).path)))
    return ObjectPlace(where)


class LocalPlace:
    """A folder. The writer's lock is the kernel's, on ``.lock``, so a killed writer leaves nothing to clean up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def has(self, key: str) -> bool:  # noqa: D102
        return (self.folder / key).exists()

    def read(self, key: str) -> bytes:  # noqa: D102
        return (self.folder / key).read_bytes()

    def read_parts(self, key: str, parts: Sequence[tuple[int, int]]) -> list[bytes]:  # noqa: D102
        with (self.folder / key).open("rb", buffering=0) as stream:
            return [os.pread(stream.fileno(), length, start) for start, length in parts]

    def write(self, key: str, content: bytes) -> None:  # noqa: D102
        write_atomic(self.folder / key, content)

    def delete(self, key: str) -> None:  # noqa: D102
        with writing(self.folder / key):
            (self.folder / key).unlink(missing_ok=True)

    def sizes(self, prefix: str) -> dict[str, int]:  # noqa: D102
        files = sorted(path for path in (self.folder / prefix).rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}

    def lock(self) -> int:  # noqa: D102
        with writing(self.folder):
            handle = os.open(self.folder / LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise CacheError(
                f"{self.name}: another process is writing this cache; wait for it or name another --out"
            ) from None
        return handle

    def unlock(self, lock: int) -> None:  # noqa: D102
        os.close(lock)


class ObjectPlace:
    """An object store. The writer's lock is an object, see ``StoreLock``; each write makes sure of it."""

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self._lock: StoreLock | None = None

    def has(self, key: str) -> bool:  # noqa: D102
        try:
            with self._reading(key):
                obstore().head(open_store(self.name), key)
        except FileNotFoundError:
            return False
        return True

    def read(self, key: str) -> bytes:  # noqa: D102
        with self._reading(key):
            return bytes(obstore().get(open_store(self.name), key).bytes())

    def read_parts(self, key: str, parts: Sequence[tuple[int, int]]) -> list[bytes]:  # noqa: D102
        starts, lengths = [start for start, _ in parts], [length for _, length in parts]
        with self._reading(key):
            found = obstore().get_ranges(open_store(self.name), key, starts=starts, lengths=lengths)
            return [bytes(part) for part in found]

    def write(self, key: str, content: bytes) -> None:  # noqa: D102
        with self._writing(key):
            obstore().put(open_store(self.name), key, content)

    def delete(self, key: str) -> None:  # noqa: D102
        with self._writing(key), suppress(FileNotFoundError):
            obstore().delete(open_store(self.name), key)

    def sizes(self, prefix: str) -> dict[str, int]:  # noqa: D102
        with self._reading(prefix):
            listed = [entry for batch in obstore().list(open_store(self.name), prefix) for entry in batch]
        # A WebDAV server tells paths from its root.
        return dict(sorted((_from(prefix, entry["path"]), entry["size"]) for entry in listed))

    def lock(self) -> StoreLock:  # noqa: D102
        self._lock = StoreLock(self.name)
        return self._lock

    def unlock(self, lock: StoreLock) -> None:  # noqa: D102
        self._lock = None
        lock.release()

    def __reduce__(self) -> tuple[type[ObjectPlace], tuple[str]]:
        if self.name.startswith("memory:"):
            raise CacheError(f"{self.name}: is in the memory of one process; read it there, with workers=0")
        return ObjectPlace, (self.name,)

    def _reading(self, key: str) -> AbstractContextManager[None]:
        return failing_as(
            StoreError, f"cannot read {self.name}/{key}", "check the URL, the connection and the store's rights"
        )

    def _writing(self, key: str) -> AbstractContextManager[None]:
        if self._lock:
            self._lock.require()
        return failing_as(OutputError, f"cannot write {self.name}/{key}", "check the store's rights and space")


def _from(prefix: str, path: str) -> str:
    return path[max(0, path.rfind(f"{prefix}/")) :]
