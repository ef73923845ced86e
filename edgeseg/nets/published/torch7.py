"""Reader of Torch7's binary files: data only, nothing in a file is executed.

The format is that of ``File:readObject`` in torch7 on 64-bit little-endian machines: each value starts
with an int32 that tells its kind; tables and objects carry an index, so that later references share them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ModelError

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = range(6)
_DTYPES = {
    "Byte": "<u1",
    "Char": "<i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Cuda": "<f4",
    "CudaLong": "<i8",
    "CudaDouble": "<f8",
    "CudaHalf": "<f2",
    "CudaByte": "<u1",
    "CudaInt": "<i4",
}
_MOST_AXES = 16


@dataclass
class Torch7Object:
    """An object of a Lua class.

    Attributes:
        kind: Class name, such as ``"nn.PReLU"``.
        fields: Its fields by name; Lua arrays are mappings with the keys 1, 2, 3 and so on.
    """

    kind: str
    fields: dict[Any, Any] = field(default_factory=dict)

    @property
    def children(self) -> list[Any]:
        """What a container holds under ``modules``, in order."""
        modules = self.fields.get("modules")
        return [modules[key] for key in sorted(modules)] if isinstance(modules, dict) else []


def read_torch7(path: Path) -> Any:
    """Reads the one value of a Torch7 binary file.

    Returns:
        None, bool, float, str, dict, array (a tensor), or ``Torch7Object``.

    Raises:
        ModelError: The file is missing, truncated, of another format, or holds Lua functions.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        return _Reader(path.read_bytes(), path).value()
    except RecursionError:
        raise ModelError(f"{path}: is nested too deeply for a Torch7 network") from None


class _Reader:
    def __init__(self, content: bytes, path: Path) -> None:
        self._content = content
        self._path = path
        self._at = 0
        self._known: dict[int, Any] = {}

    def value(self) -> Any:
        kind = self._int32()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return float(struct.unpack("<d", self._take(8))[0])
        if kind == _STRING:
            return self._text()
        if kind == _BOOLEAN:
            return self._int32() == 1
        if kind in (_TABLE, _OBJECT):
            index = self._int32()
            if index in self._known:
                return self._known[index]
            return self._table(index) if kind == _TABLE else self._object(index)
        raise self._refusal(f"kind {kind} at byte {self._at - 4} is no plain data (6 to 8 would be a Lua function)")

    def _table(self, index: int) -> dict[Any, Any]:
        table: dict[Any, Any] = {}
        self._known[index] = table
        for _ in range(self._count(self._int32())):
            key = self.value()
            if not isinstance(key, str | float | bool):
                raise self._refusal(f"a table has a {type(key).__name__} as a key")
            table[int(key) if isinstance(key, float) else key] = self.value()
        return table

    def _object(self, index: int) -> Any:
        text = self._text()
        kind = self._text() if text.startswith("V ") else text
        if kind.startswith("torch.") and kind.endswith(("Tensor", "Storage")):
            data = self._tensor() if kind.endswith("Tensor") else self._storage(kind)
            self._known[index] = data
            return data
        found = Torch7Object(kind)
        self._known[index] = found
        fields = self.value()
        if isinstance(fields, dict):
            found.fields.update(fields)
        return found

    def _tensor(self) -> NDArray[Any]:
        axes = self._int32()
        if not 0 <= axes <= _MOST_AXES:
            raise self._refusal(f"a tensor has {axes} axes")
        sizes, strides = self._int64s(axes), self._int64s(axes)
        offset = self._int64s(1)[0] - 1
        storage = self.value()
        if axes == 0 or storage is None:
            return np.zeros(0, np.float32)
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        inside = isinstance(storage, np.ndarray) and offset >= 0 and last < len(storage)
        if not inside or min(sizes) < 1 or min(strides) < 0:
            raise self._refusal(f"a tensor of size {sizes} does not fit its storage")
        steps = [stride * storage.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], sizes, steps).copy()

    def _storage(self, kind: str) -> NDArray[Any]:
        name = kind.removeprefix("torch.").removesuffix("Storage")
        if name not in _DTYPES:
            raise self._refusal(f"{kind} is unknown")
        dtype = np.dtype(_DTYPES[name])
        return np.frombuffer(self._take(self._count(self._int64s(1)[0]) * dtype.itemsize), dtype)

    def _int32(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _int64s(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}q", self._take(8 * count))

    def _text(self) -> str:
        return self._take(self._count(self._int32())).decode("latin-1")

    def _count(self, number: int) -> int:
        if number < 0:
            raise self._refusal(f"a length is {number} at byte {self._at}")
        return number

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._content):
            raise self._refusal(f"ends at byte {len(self._content)} in the middle of a value; is it truncated?")
        self._at += length
        return self._content[self._at - length : self._at]

    def _refusal(self, why: str) -> ModelError:
        return ModelError(f"{self._path}: is not a whole Torch7 binary file: {why}")
