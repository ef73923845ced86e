"""The spool's folder: its marker, its parts, and the lock that its writers share."""

from __future__ import annotations

import fcntl
import json
import os
from itertools import count
from pathlib import Path

from edgeseg.device.spool.storage import Storage
from edgeseg.errors import OutputError, SpoolError
from edgeseg.files import write_atomic, writing

SPOOL_FORMAT = 1
MARKER = "spool.json"


class SpoolFolder:
    """Places within a spool.

    Args:
        path: The spool.
        storage: The disk it lies on.
    """

    def __init__(self, path: Path, storage: Storage) -> None:
        self.path = path
        self.storage = storage
        self.items, self.incoming = path / "items", path / "incoming"
        self.owners, self.damaged = path / "owners", path / "damaged"
        self.index = path / "index.sqlite"
        self._lock: int | None = None
        self._numbers = count()

    def make(self) -> None:
        """Makes it where it is missing.

        Raises:
            OutputError: It cannot be made or written, or it holds other things.
            SpoolError: It is of a newer format.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = [p.name for p in self.path.iterdir() if not p.name.startswith(".")]
            if foreign and not (self.path / MARKER).exists():
                raise OutputError(f"{self.path}: holds {foreign[0]} and is no spool; name a new or empty folder")
        if foreign:
            self.require()
        else:
            write_atomic(self.path / MARKER, json.dumps({"format": SPOOL_FORMAT}))
        with writing(self.path):
            for part in (self.items, self.incoming, self.owners):
                part.mkdir(exist_ok=True)
            self.storage.sync_folder(self.path)

    def require(self) -> None:
        """Refuses what is no spool, or one of a newer format, with a ``SpoolError``."""
        try:
            version = json.loads((self.path / MARKER).read_text())["format"]
        except FileNotFoundError:
            raise SpoolError(
                f"{self.path}: is no spool ({MARKER} is missing); name the folder given to score --spool"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpoolError(f"{self.path / MARKER}: cannot be read ({error})") from None
        if version != SPOOL_FORMAT:
            raise SpoolError(f"{self.path}: spool format {version!r}, this edgeseg has {SPOOL_FORMAT}; update edgeseg")

    def enter(self) -> bool:
        """Takes the writers' lock, and says whether nobody else has it; ``share`` must follow."""
        with writing(self.path):
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(self._lock, fcntl.LOCK_SH)
                return False
        return True

    def share(self) -> None:
        """Lets other writers in."""
        assert self._lock is not None
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Lets go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def has(self, item_id: str) -> bool:
        """Whether the item's files are there."""
        return (self.items / item_id).is_dir()

    def ids(self) -> tuple[str, ...]:
        """Ids of all items whose files are there, in order."""
        if not self.items.is_dir():
            return ()
        return tuple(sorted(entry.name for entry in self.items.iterdir()))

    def scratch(self, item_id: str, why: str) -> Path:
        """A new name under ``incoming`` for an item on its way in (``new``) or out (``gone``)."""
        return self.incoming / f"{item_id}.{why}.{os.getpid()}.{id(self):x}.{next(self._numbers)}"

    def take_out(self, item_id: str, gone: Path) -> None:
        """Moves an item out of sight; it is whole there until ``storage.remove_tree`` takes it."""
        self.storage.rename(self.items / item_id, gone)
        # Before any of its files goes: else a power cut could leave it here without them.
        self.storage.sync_folder(self.items)

    def bring_back(self, item_id: str) -> bool:
        """Moves an item back that a killed writer had begun to take out; False where there is none."""
        kept = next(self.incoming.glob(f"{item_id}.gone.*"), None)
        if kept is None:
            return False
        self.storage.rename(kept, self.items / item_id)
        self.storage.sync_folder(self.items)
        return True
