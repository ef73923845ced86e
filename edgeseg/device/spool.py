"""The spool: a folder of flagged frames in which an item is there whole or not at all.

    DIR/spool.json              format of the folder
    DIR/items/ITEM_ID/          record.json and one file for each of its blobs
    DIR/incoming/               items being written or removed; nobody reads here
    DIR/lock                    held, shared, by every process that writes

An item is written under ``incoming``, synced, and renamed into ``items``; the folder is synced
before it counts as taken. What a killed process leaves under ``incoming`` is swept by the next
writer that is alone.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from edgeseg.errors import DataError, OutputError, SpoolError
from edgeseg.files import digest_file, write_atomic, writing
from edgeseg.progress import warn
from edgeseg.records import Record, read_record

SPOOL_FORMAT = 1
MARKER = "spool.json"
RECORD_FILE = "record.json"


@dataclass(frozen=True)
class SpoolItem:
    """One item.

    Attributes:
        record: What it says.
        folder: Where its files are.
        bytes: Length of all its files.
    """

    record: Record
    folder: Path
    bytes: int

    @property
    def id(self) -> str:
        """The item's id."""
        return self.record.item_id

    def blob(self, kind: str) -> Path | None:
        """File of a blob, such as ``"image"``; None where the item has none of this kind."""
        return next((self.folder / blob_file(b.kind) for b in self.record.blobs if b.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """What ``edgeseg spool list`` says of it."""
        record = self.record
        score = record.scores[0]
        return {
            "id": self.id,
            "vehicle": record.vehicle,
            "drive": record.drive,
            "captured_at": record.captured_at.isoformat() if record.captured_at else None,
            "source": record.source,
            "frame": record.frame_id,
            "strategy": record.strategy,
            "score": score.value,
            "score_name": score.name,
            "unit": score.unit,
            "regions": len(record.regions),
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class SpoolInfo:
    """Counts of a spool: items, their bytes, and how many wait for upload, were uploaded, or were evicted."""

    items: int
    bytes: int
    pending: int
    uploaded: int
    evicted: int

    def to_dict(self) -> dict[str, int]:
        """Plain form for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class SpoolCheck:
    """Outcome of a check: the number of items, and one line for each problem."""

    items: int
    problems: tuple[str, ...]

    def summary(self) -> str:
        """One line for the terminal, and each problem."""
        state = f"{len(self.problems)} problems" if self.problems else "all whole"
        return "\n".join((f"{self.items} items, {state}", *self.problems))

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"items": self.items, "problems": list(self.problems)}


class Spool:
    """A folder of flagged frames; several processes may write to one.

    Args:
        path: The folder.
        create: Make it where it is missing, and open it for writing; otherwise only read.

    Raises:
        OutputError: It cannot be made or written, or it holds other things.
        SpoolError: It is not there, no spool, or of a newer format.
    """

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        self._items, self._incoming = path / "items", path / "incoming"
        self._lock: int | None = None
        self._numbers = count()
        if create:
            self._make()
            self._take_lock()
        else:
            self._require_spool()

    def put(self, record: Record, blobs: Mapping[str, bytes]) -> bool:
        """Takes one item; when this returns it survives a power cut.

        Args:
            record: What it says; its blobs name their digests.
            blobs: Content by kind, one for each of the record's blobs.

        Returns:
            Whether it is new; False where the spool has it already.

        Raises:
            OutputError: It cannot be written (full disk, read-only). Nothing half of it is left behind;
                if the very last sync failed, it is there whole, but may not survive a power cut.
        """
        if record.item_id in self:
            return False
        partial = self._scratch(record.item_id)
        try:
            with writing(partial):
                partial.mkdir()
                for kind, content in blobs.items():
                    _write_synced(partial / blob_file(kind), content)
                _write_synced(partial / RECORD_FILE, record.to_json().encode())
                _sync_folder(partial)
                return self._publish(partial, record.item_id)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def remove(self, item_id: str) -> None:
        """Takes an item out; at no moment is half of it to be seen.

        Raises:
            OutputError: It cannot be removed.
        """
        gone = self._scratch(item_id)
        with writing(self._items / item_id):
            (self._items / item_id).rename(gone)
            _sync_folder(self._items)
        shutil.rmtree(gone, ignore_errors=True)

    def __contains__(self, item_id: str) -> bool:
        return (self._items / item_id).is_dir()

    def ids(self) -> tuple[str, ...]:
        """Ids of all items, in order."""
        if not self._items.is_dir():
            return ()
        return tuple(sorted(entry.name for entry in self._items.iterdir()))

    def item(self, item_id: str) -> SpoolItem:
        """Reads one item's record.

        Raises:
            SpoolError: It is not there, or its record is damaged.
        """
        folder = self._items / item_id
        try:
            text = (folder / RECORD_FILE).read_bytes()
            size = sum(file.stat().st_size for file in folder.iterdir())
            record = read_record(text, str(folder / RECORD_FILE))
        except OSError as error:
            raise SpoolError(f"{folder}: cannot be read ({error.strerror}); see edgeseg spool verify") from None
        except DataError as error:
            raise SpoolError(str(error)) from None
        return SpoolItem(record, folder, size)

    def info(self) -> SpoolInfo:
        """Counts items and bytes; every item waits for upload."""
        sizes = [item.bytes for item in self._readable()]
        return SpoolInfo(len(sizes), sum(sizes), len(sizes), 0, 0)

    def verify(self) -> SpoolCheck:
        """Reads every item and holds its blobs against their checksums."""
        ids = self.ids()
        return SpoolCheck(len(ids), tuple(problem for item_id in ids for problem in self._problems(item_id)))

    def list(self) -> Sequence[SpoolItem]:
        """All items whose record is whole, highest score first; of others a warning is told."""
        return sorted(self._readable(), key=lambda item: (-item.record.scores[0].value, item.id))

    def close(self) -> None:
        """Lets go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _readable(self) -> Iterator[SpoolItem]:
        for item_id in self.ids():
            try:
                yield self.item(item_id)
            except SpoolError as error:
                # Another process may have taken it out since the folder was listed.
                if item_id in self:
                    warn(str(error))

    def _problems(self, item_id: str) -> Iterator[str]:
        try:
            item = self.item(item_id)
        except SpoolError as error:
            yield str(error)
            return
        if item.id != item_id:
            yield f"{item.folder}: its record is of item {item.id}"
        for blob in item.record.blobs:
            yield from _blob_problems(item.folder / blob_file(blob.kind), blob.digest)

    def _make(self) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = [p.name for p in self.path.iterdir() if not p.name.startswith(".")]
            if foreign and not (self.path / MARKER).exists():
                raise OutputError(f"{self.path}: holds {foreign[0]} and is no spool; name a new or empty folder")
        if foreign:
            self._require_spool()
        else:
            write_atomic(self.path / MARKER, json.dumps({"format": SPOOL_FORMAT}))
        with writing(self.path):
            self._items.mkdir(exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            _sync_folder(self.path)

    def _require_spool(self) -> None:
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

    def _take_lock(self) -> None:
        """Takes the writers' shared lock; whoever is alone first sweeps what killed writers left."""
        with writing(self.path):
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for leftover in self._incoming.iterdir():
                    shutil.rmtree(leftover, ignore_errors=True)
            except BlockingIOError:
                pass
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def _scratch(self, item_id: str) -> Path:
        return self._incoming / f"{item_id}.{os.getpid()}.{id(self):x}.{next(self._numbers)}"

    def _publish(self, partial: Path, item_id: str) -> bool:
        try:
            partial.rename(self._items / item_id)
        except OSError as error:
            # Another process was faster with the same item.
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        _sync_folder(self._items)
        return True


def blob_file(kind: str) -> str:
    """Name of a blob's file within its item."""
    return f"{kind}.png"


def _blob_problems(path: Path, digest: str) -> Iterator[str]:
    try:
        found = digest_file(path)
    except OSError as error:
        yield f"{path}: cannot be read ({error.strerror})"
        return
    if found != digest:
        yield f"{path}: is damaged (SHA-256 {found[:12]}…, recorded {digest[:12]}…)"


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
