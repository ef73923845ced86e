"""The few things that a spool asks of the disk; tests put a failing one in its place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class Storage:
    """Files and folders of a local disk."""

    def write(self, path: Path, content: bytes) -> None:
        """Writes a file and syncs it."""
        with path.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    def make_folder(self, path: Path) -> None:
        """Makes a folder whose parent exists."""
        path.mkdir()

    def rename(self, old: Path, new: Path) -> None:
        """Renames a folder; atomic, and an error where ``new`` is a folder that holds something."""
        old.rename(new)

    def sync_folder(self, path: Path) -> None:
        """Makes the names in a folder survive a power cut."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove_tree(self, path: Path) -> None:
        """Removes a folder as far as that goes; what stays is swept by the next writer that is alone."""
        shutil.rmtree(path, ignore_errors=True)

    def free_bytes(self, path: Path) -> int:
        """Bytes that may still be written to the disk of ``path``."""
        return shutil.disk_usage(path).free
