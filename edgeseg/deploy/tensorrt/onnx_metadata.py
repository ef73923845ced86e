"""Metadata of an ONNX file, read without onnx: a Jetson that builds engines has no other use for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgeseg.errors import ModelError

_METADATA_PROPS = 14
"""Field of ``ModelProto`` (onnx.proto) that holds key and value texts."""
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def onnx_metadata(path: Path) -> dict[str, str]:
    """Metadata texts by key.

    Source: https://protobuf.dev/programming-guides/encoding/

    Raises:
        ModelError: The file is no ONNX model, or is cut short.
    """
    content = memoryview(path.read_bytes())
    try:
        entries = [dict(_fields(value)) for number, value in _fields(content) if number == _METADATA_PROPS]
        return {str(entry[_KEY], "utf-8"): str(entry.get(_VALUE, b""), "utf-8") for entry in entries}
    except (IndexError, KeyError, ValueError):
        raise ModelError(f"{path}: is no ONNX model, or is cut short; export it again") from None


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field of one message; numbers come as empty contents."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, position = _varint(content, position)
        elif kind == _BYTES:
            length, position = _varint(content, position)
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(content):
            raise ValueError("cut short")
        yield tag >> 3, content[position : position + length]
        position += length


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = content[position]
        value, position, shift = value | (byte & 127) << shift, position + 1, shift + 7
        if byte < 128:
            return value, position
