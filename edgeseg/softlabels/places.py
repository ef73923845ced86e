"""Where a cache lies: a local folder, or an object store by URL (s3://, gs://, az://, https://, memory://).

Keys are relative paths with slashes. Every write leaves an object whole or as it was before: a local file is synced
and renamed, a store puts objects at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from edgeseg.errors import CacheError, OutputError
from edgeseg.files import write_atomic, writing
from edgeseg.stores import failures, is_url, obstore, open_store, reason

LOCK_NAME: Final = ".lock"


class Place(Protocol):
    """What a cache needs of the place where it lies; a missing object is a ``FileNotFoundError``.

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
    text = str(where)
    if isinstance(where, Path) or not is_url(text):
        return LocalPlace(Path(where))
    if text.startswith("file://"):
        return LocalPlace(Path(unquote(urlsplit(text).path)))
    return ObjectPlace(text)


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
    """An object store. The writer's lock is an object that only one can create; a killed writer leaves it behind."""

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")

    def has(self, key: str) -> bool:  # noqa: D102
        try:
            obstore().head(open_store(self.name), key)
        except FileNotFoundError:
            return False
        return True

    def read(self, key: str) -> bytes:  # noqa: D102
        return bytes(obstore().get(open_store(self.name), key).bytes())

    def read_parts(self, key: str, parts: Sequence[tuple[int, int]]) -> list[bytes]:  # noqa: D102
        starts, lengths = [start for start, _ in parts], [length for _, length in parts]
        found = obstore().get_ranges(open_store(self.name), key, starts=starts, lengths=lengths)
        return [bytes(part) for part in found]

    def write(self, key: str, content: bytes) -> None:  # noqa: D102
        with self._writing(key):
            obstore().put(open_store(self.name), key, content)

    def delete(self, key: str) -> None:  # noqa: D102
        with self._writing(key), suppress(FileNotFoundError):
            obstore().delete(open_store(self.name), key)

    def sizes(self, prefix: str) -> dict[str, int]:  # noqa: D102
        listed = obstore().list(open_store(self.name), prefix)
        return dict(sorted((entry["path"], entry["size"]) for batch in listed for entry in batch))

    def lock(self) -> str:  # noqa: D102
        with self._writing(LOCK_NAME):
            try:
                obstore().put(open_store(self.name), LOCK_NAME, b"", mode="create")
            except obstore().exceptions.AlreadyExistsError:
                raise CacheError(
                    f"{self.name}: another process is writing this cache, or was killed; "
                    f"wait for it, or delete {self.name}/{LOCK_NAME} where none is running"
                ) from None
        return LOCK_NAME

    def unlock(self, lock: str) -> None:  # noqa: D102
        self.delete(lock)

    def _writing(self, key: str) -> _Writing:
        return _Writing(f"{self.name}/{key}")


class _Writing:
    """Turns a store's failure into an ``OutputError``."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, failures()) and not isinstance(error, FileNotFoundError):
            raise OutputError(
                f"cannot write {self._what}: {reason(error)}; check the store's rights and space"
            ) from None
