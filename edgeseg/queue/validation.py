"""What an uploaded record must satisfy before it becomes an item; a vehicle is not trusted."""

from __future__ import annotations

import re
import struct
from pathlib import PurePosixPath

from edgeseg.bucket import parse_record_key
from edgeseg.errors import DataError
from edgeseg.records import Blob, Record, read_record

MAX_RECORD_BYTES = 16 * 2**20
MAX_PIXELS = 64 * 10**6
"""Of a frame; a decoder's memory follows from it."""
MAX_BLOB_BYTES = 256 * 2**20
HEADER_BYTES = 33
"""A PNG's signature and its first chunk, which tells its size."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f<>\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, those that turn the direction of writing, and what opens a tag."""
_COLOR_TYPES = {"image": 2, "entropy": 0, "classes": 0}
_KINDS_OF_COLOR = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}


def check_record(content: bytes | None, key: str) -> Record:
    """Reads an uploaded record and holds it against its bounds.

    Args:
        content: The first ``MAX_RECORD_BYTES`` + 1 bytes of the object; None where it is missing.
        key: Its key, which names vehicle and item.

    Raises:
        DataError: It cannot be used; the message is the reason for the quarantine.
    """
    if content is None:
        raise DataError(f"{key}: there is no such record, though it was announced")
    if len(content) > MAX_RECORD_BYTES:
        raise DataError(f"{key}: is larger than {MAX_RECORD_BYTES} bytes, which no record needs")
    record = read_record(content, key)
    named = parse_record_key(key)
    if named != (record.vehicle, record.item_id):
        raise DataError(f"{key}: the record in it is of vehicle {record.vehicle}, item {record.item_id}")
    _check_names(record, key)
    if record.image.height * record.image.width > MAX_PIXELS:
        raise DataError(
            f"{key}: a frame of {record.image.height}x{record.image.width} pixels is above the bound of {MAX_PIXELS}"
        )
    for blob in record.blobs:
        _check_blob(blob, key)
    return record


def check_header(record: Record, kind: str, header: bytes | None) -> None:
    """Holds a blob's first bytes against the record, so that nothing larger than announced is ever decoded.

    Args:
        record: The record, checked before.
        kind: Kind of the blob, such as ``"image"``.
        header: Its first ``HEADER_BYTES`` bytes or more; None where it is missing.

    Raises:
        DataError: It is no PNG of the frame's size and of the kind's colours.
    """
    where = f"{kind} of item {record.item_id}"
    if header is None:
        raise DataError(f"{where}: is missing, though its record came")
    if len(header) < HEADER_BYTES or header[:16] != b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR":
        raise DataError(f"{where}: is no PNG")
    width, height, depth, color = struct.unpack(">IIBB", header[16:26])
    if (height, width) != (record.image.height, record.image.width):
        raise DataError(
            f"{where}: is a PNG of {height}x{width} pixels, but the record says "
            f"{record.image.height}x{record.image.width}"
        )
    if depth != 8 or color != _COLOR_TYPES[kind]:
        found = _KINDS_OF_COLOR.get(color, f"colour type {color}")
        raise DataError(f"{where}: must be {_KINDS_OF_COLOR[_COLOR_TYPES[kind]]} of 8 bits, is {found} of {depth}")


def _check_names(record: Record, key: str) -> None:
    texts = [record.source, record.frame_id, record.policy, record.policy_version, record.strategy]
    texts += [text for score in record.scores for text in (score.name, score.unit)]
    texts += [text for region in record.regions for text in (region.unit, region.class_name or "")]
    for text in set(texts):
        if found := _UNSAFE.search(text):
            raise DataError(f"{key}: the character {found[0]!r} must not stand in a name, got {text[:80]!r}")
    frame = PurePosixPath(record.frame_id.replace("\\", "/"))
    if frame.is_absolute() or ".." in frame.parts:
        raise DataError(f"{key}: frame id {record.frame_id[:80]!r} leaves its source's folder")


def _check_blob(blob: Blob, key: str) -> None:
    if blob.key != f"sha256/{blob.digest[:2]}/{blob.digest}.png":
        raise DataError(f"{key}: the {blob.kind}'s key {blob.key!r} does not follow from its digest")
    if blob.bytes > MAX_BLOB_BYTES:
        raise DataError(f"{key}: the {blob.kind} has {blob.bytes} bytes, the bound is {MAX_BLOB_BYTES}")
