"""A tile's bytes: header, then basis and codes by Zstandard.

    version    uint8      1
    level      uint8      bytes of a code, 1 or 2
    K          uint16     components
    step       float32    of the codes
    steps      float32    (K,) of the basis
    body       zstd       basis (2, 2, C, K) int16 low bytes, high bytes; codes (K, 64, by, bx), low bytes, high bytes

Numbers are little-endian. A signed number n is kept as 2n or −2n − 1, so that small ones are small. Frequencies go
from low to high along the diagonals; of the lowest, the difference to the block to the left (or above) is kept.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError, require
from edgeseg.softlabels.grid import Grid
from edgeseg.softlabels.transform import CELL, analyse, quantise, waves

_VERSION: Final = 1
_HEADER: Final = struct.Struct("<BBHf")
_LEVEL: Final = 12
_ORDER: Final = np.array(sorted(range(64), key=lambda i: (i // 8 + i % 8, i)))
_PLACE: Final = np.argsort(_ORDER)


def encode_tile(tile: Grid, step: float) -> bytes:
    """Encodes a tile.

    Args:
        tile: (C, th, tw) float32 log-probabilities, th and tw multiples of ``transform.CELL``.
        step: Of the quantiser: the smaller, the finer.
    """
    components = analyse(tile, step)
    codes = quantise(components.cosines, step)
    used = int(np.flatnonzero(codes.any(axis=(1, 2, 3, 4))).max(initial=-1)) + 1
    codes, steps = codes[:used], components.steps[:used]
    basis = np.rint(components.basis[..., :used] / steps).astype(np.int64)
    _take_differences(codes)
    folded = _fold(codes.reshape(used, 64, *codes.shape[3:])[:, _ORDER])
    width = 1 if folded.max(initial=0) < 256 else 2
    body = _planes(_fold(basis), 2) + _planes(folded, width)
    header = _HEADER.pack(_VERSION, width, used, step) + steps.astype("<f4").tobytes()
    compressed: bytes = require("zstandard", "train").ZstdCompressor(level=_LEVEL).compress(body)
    return header + compressed


def decode_tile(content: bytes, classes: int, size: tuple[int, int], grid: Grid, row: int, column: int) -> None:
    """Decodes the part of a tile that a piece of the grid needs, into that piece.

    Args:
        content: Of the tile.
        classes: C.
        size: (th, tw) of the tile.
        grid: (C, gh, gw) float32, gh and gw even, filled where the tile covers it.
        row: The tile's first row in ``grid``, even, negative where it starts before it.
        column: The tile's first column in ``grid``, likewise.
    """
    from edgeseg.softlabels.kernels import decode

    _, width, used, step = _HEADER.unpack_from(content)
    steps = np.frombuffer(content, "<f4", used, _HEADER.size)
    body = require("zstandard", "train").ZstdDecompressor().decompress(memoryview(content)[_HEADER.size + 4 * used :])
    codes = np.frombuffer(body, np.uint8)
    blocks = (size[0] // CELL, size[1] // CELL)
    decode(codes, width, used, np.float32(step), steps, _PLACE, waves(), blocks, grid, row, column)


def _take_differences(codes: NDArray[np.int64]) -> None:
    means = codes[:, 0, 0]
    means[:, :, 1:] -= means[:, :, :-1].copy()
    means[:, 1:, 0] -= means[:, :-1, 0].copy()


def _fold(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    folded: NDArray[np.int64] = np.where(numbers >= 0, 2 * numbers, -2 * numbers - 1)
    if folded.max(initial=0) > 0xFFFF:
        raise CacheError("soft labels vary too much to be encoded so finely; allow a larger divergence")
    return folded


def _planes(folded: NDArray[np.int64], width: int) -> bytes:
    return b"".join((folded >> 8 * byte & 0xFF).astype(np.uint8).tobytes() for byte in range(width))
