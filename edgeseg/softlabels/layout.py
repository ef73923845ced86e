"""How frames lie in the container, a Zarr 3 store.

    CACHE/info.json                                  what it holds and what made it
    CACHE/frames/1024x2048/stride2/zarr.json         frames of 1024 × 2048 label pixels, one grid sample every 2
    CACHE/frames/1024x2048/stride2/c/17/0/0/0        the 18th frame of info.json, one shard

An array is (N, C, gh, gw) float32, log-probabilities up to what is common to all classes; a shard is one frame, its
inner chunks tiles of the grid, each by the codec ``edgeseg.soft_labels`` and CRC-32C. So a frame is one object, whole
or absent; a window reads the shard's index and the tiles that it touches; and any Zarr 3 reader can open the arrays
where edgeseg is installed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgeseg.errors import require
from edgeseg.softlabels.grid import grid_size

FRAMES_NAME: Final = "frames"
CODEC_NAME: Final = "edgeseg.soft_labels"
_KEY: Final = re.compile(rf"{FRAMES_NAME}/(\d+)x(\d+)/stride(\d)/c/(\d+)/0/0/0")
# Of the grid: half the samples' blocks are 16 wide, and smaller tiles cost bytes, larger ones reading.
_TILE: Final = 128
_CELL: Final = 16
_CRC: Final = struct.Struct("<I")


class DamageError(ValueError):
    """A shard is not as it was written; says how."""


@dataclass(frozen=True)
class Layout:
    """Frames of one size and stride.

    Attributes:
        height, width: Of the labels, in pixels.
        stride: Label pixels a grid sample.
    """

    height: int
    width: int
    stride: int

    @property
    def grid(self) -> tuple[int, int]:
        """(gh, gw) samples."""
        return grid_size(self.height, self.stride), grid_size(self.width, self.stride)

    @property
    def tile(self) -> tuple[int, int]:
        """(th, tw) samples of a tile."""
        height, width = (min(_TILE, -(-samples // _CELL) * _CELL) for samples in self.grid)
        return height, width

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles of a frame, down and across."""
        down, across = (-(-samples // size) for samples, size in zip(self.grid, self.tile, strict=True))
        return down, across

    @property
    def index_bytes(self) -> int:
        """Length of the index at a shard's start."""
        return 16 * self.tiles[0] * self.tiles[1] + _CRC.size

    @property
    def folder(self) -> str:
        """Key of the array."""
        return f"{FRAMES_NAME}/{self.height}x{self.width}/stride{self.stride}"

    def key(self, number: int) -> str:
        """Key of a frame's shard."""
        return f"{self.folder}/c/{number}/0/0/0"

    def metadata(self, frames: int, classes: int) -> dict[str, Any]:
        """Content of the array's ``zarr.json``, made by zarr itself."""
        zarr = require("zarr", "train")
        from edgeseg.softlabels.zarr_codec import SoftLabelCodec

        sizes = list(zip(self.tile, self.tiles, strict=True))
        array = zarr.create_array(
            zarr.storage.MemoryStore(),
            shape=(frames, classes, *self.grid),
            dtype="float32",
            chunks=(1, classes, *self.tile),
            shards={"shape": (1, classes, *(t * n for t, n in sizes)), "index_location": "start"},
            serializer=SoftLabelCodec(),
            compressors=zarr.codecs.Crc32cCodec(),
            fill_value=float("nan"),
            dimension_names=("frame", "class", "row", "column"),
            attributes={"label_height": self.height, "label_width": self.width, "stride": self.stride},
        )
        metadata: dict[str, Any] = array.metadata.to_dict()
        return metadata


def parse_key(key: str) -> tuple[Layout, int] | None:
    """Layout and number of the frame whose shard a key names, or None where it names none."""
    if found := _KEY.fullmatch(key):
        height, width, stride, number = map(int, found.groups())
        return Layout(height, width, stride), number
    return None


def pack_shard(tiles: Sequence[bytes]) -> bytes:
    """A shard of tiles, row by row, each followed by its CRC-32C; the index first."""
    chunks = [tile + _CRC.pack(_crc(tile)) for tile in tiles]
    start = 16 * len(tiles) + _CRC.size
    entries = []
    for chunk in chunks:
        entries.append(struct.pack("<QQ", start, len(chunk)))
        start += len(chunk)
    index = b"".join(entries)
    return b"".join([index, _CRC.pack(_crc(index)), *chunks])


def parse_index(content: bytes, layout: Layout) -> list[tuple[int, int]]:
    """(first byte, bytes) of each tile.

    Raises:
        DamageError: The index's checksum is wrong.
    """
    if len(content) != layout.index_bytes or content[-_CRC.size :] != _CRC.pack(_crc(content[: -_CRC.size])):
        raise DamageError("the checksum of its index is wrong")
    return list(struct.iter_unpack("<QQ", content[: -_CRC.size]))


def checked_tile(chunk: bytes, length: int) -> bytes:
    """A tile without its checksum.

    Raises:
        DamageError: It is incomplete, or its checksum is wrong.
    """
    tile = chunk[: -_CRC.size]
    if len(chunk) != length:
        raise DamageError("it ends too early")
    if chunk[-_CRC.size :] != _CRC.pack(_crc(tile)):
        raise DamageError("the checksum of a tile is wrong")
    return tile


def _crc(content: bytes) -> int:
    value: int = require("google_crc32c", "train").value(content)
    return value
