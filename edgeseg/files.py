"""Files that are whole or not there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeseg.errors import OutputError


def digest_file(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def digest_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def writing(where: Path | str) -> Iterator[None]:
    """Turns a failed write inside the block into an ``OutputError`` that names the place and the cure."""
    try:
        yield
    except OSError as error:
        place = error.filename or where
        raise OutputError(
            f"cannot write {place}: {error.strerror or error}; check that the folder exists, is writable and has space"
        ) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path`` that takes its place, synced to disk, if the block ends well.

    Whatever happens inside, ``path`` holds its old content, or the new one whole.

    Raises:
        OutputError: The place cannot be written (missing rights, full disk).
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            partial.replace(path)
    finally:
        # A read-only disk refuses this too; that must not hide the message of the failed write.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Writes a small file whole or not at all.

    Raises:
        OutputError: The place cannot be written.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside ``path`` that becomes ``path`` if the block ends well.

    Raises:
        OutputError: ``path`` exists and is not empty, or the place cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} exists and is not empty; name another place or remove it first")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            partial.mkdir(parents=True)
            yield partial
            if path.exists():
                path.rmdir()
            partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Makes a folder if need be, and keeps it for this process; one that was made and stays empty is removed again.

    The kernel lets go when the process ends, however it ends.

    Args:
        folder: What is kept.
        busy: What to tell where another process keeps it.

    Raises:
        OutputError: Another process keeps it, or the place cannot be written.
    """
    is_new, path = not folder.exists(), folder / ".lock"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _lock(path, busy)
    _HELD.add(handle)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        _HELD.discard(handle)
        os.close(handle)
        if is_new:
            with suppress(OSError):
                folder.rmdir()


_HELD: set[int] = set()


def _let_go() -> None:
    for handle in _HELD:
        os.close(handle)
    _HELD.clear()


# A forked child, such as a loader process, would keep the folder after its parent was killed.
os.register_at_fork(after_in_child=_let_go)


def _lock(path: Path, busy: str) -> int:
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise OutputError(busy) from None
        except OSError:
            return handle  # a file system without locks, as clusters have them, must not stop the work
        # Whoever held it may have removed the file in between: a lock on that one keeps nobody out.
        with suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        os.close(handle)
