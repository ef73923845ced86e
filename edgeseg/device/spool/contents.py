"""Items as they lie in their folders: reading one, and holding it against its checksums."""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeseg.errors import DataError, SpoolError
from edgeseg.files import digest_file
from edgeseg.records import Record, read_record

RECORD_FILE = "record.json"
VALUE = "value"
"""Name of the score that says what an item is worth to the spool; without it the first score does."""
State = Literal["pending", "announced", "uploaded", "evicted"]
"""``announced``: its record was uploaded, its blobs were not; ``evicted``: it gave way before it was uploaded."""


@dataclass(frozen=True)
class SpoolItem:
    """One item.

    Attributes:
        record: What it says.
        folder: Where its files are.
        bytes: Length of all its files.
        state: What became of it.
    """

    record: Record
    folder: Path
    bytes: int
    state: State = "pending"

    @property
    def id(self) -> str:
        """The item's id."""
        return self.record.item_id

    @property
    def value(self) -> float:
        """What it is worth: uploads go by it from above, evictions from below."""
        return value_of(self.record)

    def blob(self, kind: str) -> Path | None:
        """File of a blob, such as ``"image"``; None where the item has none of this kind."""
        return next((self.folder / blob_file(b.kind) for b in self.record.blobs if b.kind == kind), None)

    def read_blob(self, kind: str) -> builtins.bytes:
        """Content of a blob, held against its checksum.

        Raises:
            SpoolError: The item has none of this kind, or it is damaged.
        """
        blob = next((b for b in self.record.blobs if b.kind == kind), None)
        if blob is None:
            raise SpoolError(f"{self.folder}: has no blob {kind!r}")
        path = self.folder / blob_file(kind)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SpoolError(f"{path}: cannot be read ({error.strerror}); see edgeseg spool repair") from None
        if hashlib.sha256(content).hexdigest() != blob.digest:
            raise SpoolError(f"{path}: is damaged; see edgeseg spool repair")
        return content

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
            "value": self.value,
            "state": self.state,
            "regions": len(record.regions),
            "bytes": self.bytes,
        }


def value_of(record: Record) -> float:
    """What a record's item is worth: its score named ``value``, or its first one."""
    return next((score.value for score in record.scores if score.name == VALUE), record.scores[0].value)


def blob_file(kind: str) -> str:
    """Name of a blob's file within its item."""
    return f"{kind}.png"


def read_item(folder: Path, state: State = "pending") -> SpoolItem:
    """Reads one item's record.

    Raises:
        SpoolError: It is not there, or its record is damaged.
    """
    try:
        text = (folder / RECORD_FILE).read_bytes()
        size = sum(file.stat().st_size for file in folder.iterdir())
        record = read_record(text, str(folder / RECORD_FILE))
    except OSError as error:
        raise SpoolError(f"{folder}: cannot be read ({error.strerror}); see edgeseg spool verify") from None
    except DataError as error:
        raise SpoolError(str(error)) from None
    return SpoolItem(record, folder, size, state)


def problems(folder: Path) -> Iterator[str]:
    """One line for each thing that is wrong with an item."""
    try:
        item = read_item(folder)
    except SpoolError as error:
        yield str(error)
        return
    if item.id != folder.name:
        yield f"{folder}: its record is of item {item.id}"
    for blob in item.record.blobs:
        yield from _blob_problems(folder / blob_file(blob.kind), blob.digest)


def _blob_problems(path: Path, digest: str) -> Iterator[str]:
    try:
        found = digest_file(path)
    except OSError as error:
        yield f"{path}: cannot be read ({error.strerror})"
        return
    if found != digest:
        yield f"{path}: is damaged (SHA-256 {found[:12]}…, recorded {digest[:12]}…)"
