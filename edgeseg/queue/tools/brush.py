"""Label Studio's run-length encoding of brush masks, by arrays instead of bit strings.

A mask is read row by row, each pixel as four equal bytes (RGBA) of 0 or 255. Bits: 32 of the number of bytes, 5 of the
word size less 1, four times 4 of the run-length sizes less 1; then runs: one flag, 2 of the size's index, the length
less 1 in that size, and the repeated value (flag set), or as many values as the length says (flag not set).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DataError

SIZES = (3, 4, 8, 16)
WORD = 8
CHANNELS = 4
_LONGEST = 1 << SIZES[-1]
_HEADER_BITS = 32 + 5 + 4 * len(SIZES)


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """Bytes of a mask (H, W) bool."""
    flat = np.concatenate((mask.ravel(), [False]))[:-1]
    edges = np.flatnonzero(np.diff(flat.astype(np.int8)))
    starts = np.concatenate(([0], edges + 1))
    lengths = np.diff(np.concatenate((starts, [flat.size]))) * CHANNELS
    values = flat[starts].astype(np.int64) * 255
    whole, rest = np.divmod(lengths, _LONGEST)
    # Runs that no size can hold are cut into the longest ones and a rest.
    pieces = whole + (rest > 0)
    owner = np.repeat(np.arange(len(lengths)), pieces)
    cut = np.full(len(owner), _LONGEST)
    last = np.cumsum(pieces) - 1
    cut[last[rest > 0]] = rest[rest > 0]
    return _pack(flat.size * CHANNELS, cut, values[owner])


def decode_brush(rle: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (H, W) bool that ``encode_brush`` or Label Studio's editor encoded; set where alpha is not 0.

    Raises:
        DataError: The bytes are of another size, or end in the middle.
    """
    try:
        bits = np.unpackbits(np.array(rle, np.uint8))
        count, word = _number(bits, 0, 32), _number(bits, 32, 5) + 1
        if count != height * width * CHANNELS or word != WORD:
            raise ValueError(f"{count} values of {word} bits for {height}x{width} pixels")
        sizes = [_number(bits, 37 + 4 * index, 4) + 1 for index in range(4)]
        return _runs(bits, sizes, count).reshape(height, width, CHANNELS)[:, :, -1] > 0
    except (ValueError, IndexError, OverflowError) as error:
        raise DataError(f"a brush mask cannot be read ({error}); export it again from the tool") from None


def _pack(count: int, lengths: NDArray[np.int64], values: NDArray[np.int64]) -> list[int]:
    index = np.searchsorted([1 << size for size in SIZES], lengths)
    widths = np.array(SIZES)[index]
    run_bits = 1 + 2 + widths + WORD
    starts = _HEADER_BITS + np.concatenate(([0], np.cumsum(run_bits)[:-1]))
    bits = np.zeros(_HEADER_BITS + int(run_bits.sum()), np.uint8)
    _put(bits, np.array([0]), np.array([count]), 32)
    _put(bits, np.array([32]), np.array([WORD - 1]), 5)
    for position, size in enumerate(SIZES):
        _put(bits, np.array([37 + 4 * position]), np.array([size - 1]), 4)
    bits[starts] = 1
    _put(bits, starts + 1, index, 2)
    for size in SIZES:
        of_size = widths == size
        _put(bits, starts[of_size] + 3, lengths[of_size] - 1, size)
    _put(bits, starts + 3 + widths, values, WORD)
    packed: list[int] = np.packbits(bits).tolist()
    return packed


def _put(bits: NDArray[np.uint8], starts: NDArray[np.int64], numbers: NDArray[np.int64], width: int) -> None:
    for bit in range(width):
        bits[starts + bit] = (numbers >> (width - 1 - bit)) & 1


def _number(bits: NDArray[np.uint8], start: int, width: int) -> int:
    if start + width > len(bits):
        raise ValueError("it ends in the middle")
    return int("".join(map(str, bits[start : start + width].tolist())), 2)


def _runs(bits: NDArray[np.uint8], sizes: list[int], count: int) -> NDArray[np.uint8]:
    out, done, at = np.zeros(count, np.uint8), 0, _HEADER_BITS
    while done < count:
        repeats, size = bits[at], sizes[_number(bits, at + 1, 2)]
        length = _number(bits, at + 3, size) + 1
        at += 3 + size
        if done + length > count:
            raise ValueError("it has more values than it says")
        if repeats:
            out[done : done + length] = _number(bits, at, WORD)
            at += WORD
        else:
            words = bits[at : at + length * WORD]
            if len(words) < length * WORD:
                raise ValueError("it ends in the middle")
            out[done : done + length] = np.packbits(words)
            at += length * WORD
        done += length
    return out
