"""The seal of an exported graph: a digest, in its own metadata, of everything else in the file.

Needs neither onnx nor a runtime: an ONNX file is one protocol-buffer message, whose top fields are
walked here and hashed in their order, the seal's own metadata entry left out. So weights, operators
and the rest of the metadata are covered, whatever library writes the seal in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.errors import ModelError
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

SEAL_KEY = "edgeseg-seal"
"""Key of the digest in ONNX metadata."""
_METADATA_FIELD = 14  # of ModelProto in onnx.proto
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def content_digest(content: bytes) -> str:
    """SHA-256 of an ONNX file's content without its seal, 64 hexadecimal digits.

    Raises:
        ValueError: The content is no whole protocol-buffer message.
    """
    sha, view = hashlib.sha256(), memoryview(content)
    for number, start, payload, end in _fields(content):
        if number == _METADATA_FIELD and _entry(content[payload:end])[0] == SEAL_KEY:
            continue
        sha.update(view[start:end])
    return sha.hexdigest()


def set_metadata(model: Any, info: ModelInfo, record: ExportRecord) -> None:
    """Replaces the metadata of an ``onnx.ModelProto`` by the model's, and seals it.

    Nothing of the model may be changed afterwards.
    """
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=info.with_extra(**{EXPORT_KEY: record.to_dict()}).to_json())
    model.metadata_props.add(key=SEAL_KEY, value=content_digest(model.SerializeToString()))


def require_sealed(content: bytes, where: str) -> None:
    """Refuses a graph whose seal is missing or broken.

    Args:
        content: The file's bytes.
        where: File name for the error message.

    Raises:
        ModelError: The seal is missing, or file and seal do not agree.
    """
    try:
        seals = [value for key, value in _entries(content) if key == SEAL_KEY]
        intact = seals == [content_digest(content)]
    except ValueError:
        seals, intact = [], False
    if not intact:
        state = "was altered after its export" if seals else "has no seal of edgeseg export"
        raise ModelError(f"{where}: {state}, so nothing that it says about itself can be trusted; export it again")


def sealed_metadata(content: bytes, where: str) -> dict[str, str]:
    """Metadata texts by key of a graph whose seal holds.

    Raises:
        ModelError: As ``require_sealed``.
    """
    require_sealed(content, where)
    return dict(_entries(content))


def _entries(content: bytes) -> list[tuple[str, str]]:
    return [_entry(content[payload:end]) for number, _, payload, end in _fields(content) if number == _METADATA_FIELD]


def _entry(message: bytes) -> tuple[str, str]:
    """Key and value of a metadata entry, its fields 1 and 2."""
    texts = {number: message[payload:end].decode() for number, _, payload, end in _fields(message)}
    return texts.get(1, ""), texts.get(2, "")


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Fields of a message: number, start with tag, start of payload, end."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _LENGTH:
            length, position = _varint(message, position)
            end = position + length
        elif kind == _VARINT:
            end = _varint(message, position)[1]
        elif kind in (_FIXED64, _FIXED32):
            end = position + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {kind}")
        if end > len(message):
            raise ValueError("the message ends within a field")
        yield tag >> 3, start, position, end
        position = end


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the position behind it."""
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("the message ends within a number")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
