"""One frame's soft labels as one file: a checked header, then bands of rows, each compressed and checked.

    magic      8 bytes   b"edgesoft"
    length     uint32    of the header, little-endian
    crc32      uint32    of the header, little-endian
    header     JSON      version, id, shape [C, H, W], bits of a code, rows of a band, bands [[bytes, crc32], ...]
    bands      zlib      codes (C, rows, W) of ``coding.encode``, little-endian; the last band may have fewer rows

A window is read from the bands that it touches; each is checked against its CRC-32 before it is used.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.softlabels.coding import decode

VERSION: Final = 1
SUFFIX: Final = ".soft"
_MAGIC: Final = b"edgesoft"
_START: Final = struct.Struct("<8sII")
_BAND_ROWS: Final = 64
# Level 1 decompresses as fast as the others and is 20 % larger; writing is what costs at higher levels.
_LEVEL: Final = 1


class MissingFrameError(CacheError, KeyError):
    """The cache has no such frame; a KeyError too, as a mapping's readers expect."""

    __str__ = Exception.__str__


@dataclass(frozen=True)
class FrameHeader:
    """What a frame file says of itself.

    Attributes:
        sample_id: Whose soft labels these are.
        shape: (C, H, W).
        bits: Of a code, 8 or 16.
        rows: Rows of each band but the last.
        bands: (bytes, crc32) of each band.
        start: Where the first band starts in the file.
    """

    sample_id: str
    shape: tuple[int, int, int]
    bits: int
    rows: int
    bands: tuple[tuple[int, int], ...]
    start: int

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each band starts in the file, and where the last one ends."""
        return tuple(accumulate((size for size, _ in self.bands), initial=self.start))


@dataclass(frozen=True)
class EncodedFrame:
    """Soft labels ready to be written: what a process that may not write hands to the one that does.

    Attributes:
        shape: (C, H, W).
        bits: Of a code, 8 or 16.
        bands: The compressed bands.
    """

    shape: tuple[int, int, int]
    bits: int
    bands: tuple[bytes, ...]


def compress(codes: NDArray[np.unsignedinteger[Any]]) -> EncodedFrame:
    """Compresses codes (C, H, W), band by band."""
    codes = codes.astype(codes.dtype.newbyteorder("<"), copy=False)
    channels, height, width = codes.shape
    starts = range(0, height, _BAND_ROWS)
    bands = tuple(zlib.compress(codes[:, top : top + _BAND_ROWS].tobytes(), _LEVEL) for top in starts)
    return EncodedFrame((channels, height, width), codes.dtype.itemsize * 8, bands)


def pack(sample_id: str, frame: EncodedFrame) -> bytes:
    """Makes the content of a frame file."""
    header = {
        "version": VERSION,
        "id": sample_id,
        "shape": frame.shape,
        "bits": frame.bits,
        "rows": _BAND_ROWS,
        "bands": [(len(band), zlib.crc32(band)) for band in frame.bands],
    }
    text = json.dumps(header, sort_keys=True).encode()
    return b"".join([_START.pack(_MAGIC, len(text), zlib.crc32(text)), text, *frame.bands])


def read_header(path: Path, sample_id: str) -> FrameHeader:
    """Reads and checks the header and the file's length.

    Raises:
        CacheError: The frame is missing, damaged, or of a newer format.
    """
    with _opened(path, sample_id) as stream:
        return _header(stream, path, sample_id)


def read_window(path: Path, sample_id: str, top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
    """Reads a window as probabilities (C, height, width) float32.

    Raises:
        CacheError: The frame is missing or damaged, or the window is not inside it.
    """
    with _opened(path, sample_id) as stream:
        header = _header(stream, path, sample_id)
        _check_window(header, top, left, height, width)
        window = np.empty((header.shape[0], height, width), np.float32)
        for index in range(top // header.rows, (top + height - 1) // header.rows + 1):
            first = index * header.rows
            rows = slice(max(top, first) - first, top + height - first)
            codes = _codes(stream, header, index, path)[:, rows, left : left + width]
            at = max(top, first) - top
            window[:, at : at + codes.shape[1]] = decode(codes)
    return window


def check(path: Path, sample_id: str) -> None:
    """Reads the whole file and checks every checksum.

    Raises:
        CacheError: The frame is missing or damaged.
    """
    with _opened(path, sample_id) as stream:
        header = _header(stream, path, sample_id)
        for index in range(len(header.bands)):
            _band(stream, header, index, path)


def _opened(path: Path, sample_id: str) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFrameError(
            f"the cache has no soft labels of {sample_id!r} ({path} is missing); "
            "add it with: edgeseg cache build --resume and the settings of before"
        ) from None
    except OSError as error:
        raise CacheError(f"{path}: the soft labels of {sample_id!r} cannot be read ({error.strerror})") from None


def _header(stream: BinaryIO, path: Path, sample_id: str) -> FrameHeader:
    start = stream.read(_START.size)
    magic, length, crc = _START.unpack(start) if len(start) == _START.size else (b"", 0, 0)
    if magic != _MAGIC:
        raise _damaged(path, sample_id, "it does not start as a frame of soft labels")
    text = stream.read(length)
    if len(text) != length or zlib.crc32(text) != crc:
        raise _damaged(path, sample_id, "its header's checksum is wrong")
    plain = json.loads(text)
    if plain["version"] > VERSION:
        raise CacheError(f"{path}: frame format {plain['version']} is newer than this edgeseg; update edgeseg")
    if plain["id"] != sample_id:
        raise _damaged(path, sample_id, f"it holds the soft labels of {plain['id']!r}")
    channels, height, width = plain["shape"]
    bands = tuple((size, crc) for size, crc in plain["bands"])
    header = FrameHeader(
        sample_id, (channels, height, width), plain["bits"], plain["rows"], bands, _START.size + length
    )
    size = path.stat().st_size
    if size != header.offsets[-1]:
        raise _damaged(path, sample_id, f"it has {size} bytes instead of {header.offsets[-1]}")
    return header


def _band(stream: BinaryIO, header: FrameHeader, index: int, path: Path) -> bytes:
    size, crc = header.bands[index]
    stream.seek(header.offsets[index])
    band = stream.read(size)
    if zlib.crc32(band) != crc:
        raise _damaged(path, header.sample_id, f"the checksum of rows {index * header.rows} and below is wrong")
    return band


def _codes(stream: BinaryIO, header: FrameHeader, index: int, path: Path) -> NDArray[np.unsignedinteger[Any]]:
    raw = zlib.decompress(_band(stream, header, index, path))
    return np.frombuffer(raw, f"<u{header.bits // 8}").reshape(header.shape[0], -1, header.shape[2])


def _check_window(header: FrameHeader, top: int, left: int, height: int, width: int) -> None:
    _, rows, columns = header.shape
    if min(height, width) < 1 or min(top, left) < 0 or top + height > rows or left + width > columns:
        raise CacheError(
            f"window of {height}x{width} at row {top}, column {left} is not inside the {rows}x{columns} soft labels of "
            f"{header.sample_id!r}; do image and cache have the same size?"
        )


def _damaged(path: Path, sample_id: str, what: str) -> CacheError:
    return CacheError(
        f"{path}: the soft labels of {sample_id!r} are damaged ({what}); "
        "edgeseg cache build --resume with the settings of before computes them again"
    )
