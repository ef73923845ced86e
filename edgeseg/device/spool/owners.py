"""Who holds items for upload: a locked file for each, which the system lets go when its process ends, however it ends.

A lease therefore needs no clock: it ends with its owner.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edgeseg.files import writing


class Owner:
    """One holder of leases.

    Args:
        folder: Where the locked files lie.

    Attributes:
        token: Its name in the index.

    Raises:
        OutputError: The file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.token = uuid.uuid4().hex
        self._path = folder / self.token
        with writing(self._path):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        """Ends its leases."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


def gone(folder: Path, tokens: Iterable[str]) -> list[str]:
    """Those of the owners that have ended; their files are removed."""
    return [token for token in tokens if _has_ended(folder / token)]


def _has_ended(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
