"""Label Studio's brush encoding against a slow writer of bit strings, and back."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from edgeseg.errors import DataError
from edgeseg.queue.tools.brush import decode_brush, encode_brush


def slow_encode(mask: np.ndarray) -> list[int]:
    """The format as it is described, one bit after the other."""
    values = [255 * int(pixel) for pixel in mask.ravel() for _ in range(4)]
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    for value, group in groupby(values):
        left = len(list(group))
        while left:
            length = min(left, 1 << 16)
            index = next(i for i, size in enumerate((3, 4, 8, 16)) if length <= 1 << size)
            bits += f"1{index:02b}{length - 1:0{(3, 4, 8, 16)[index]}b}{value:08b}"
            left -= length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (13, 17), (40, 60), (200, 300)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_masks_are_encoded_as_described_and_read_back(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(shape) < share
    encoded = encode_brush(mask)
    if mask.size < 5000:
        assert encoded == slow_encode(mask)
    assert (decode_brush(encoded, *shape) == mask).all()


def test_runs_longer_than_the_longest_size_are_cut() -> None:
    mask = np.zeros((300, 400), bool)
    mask[0, :5] = mask[-1, -1] = True
    assert encode_brush(mask) == slow_encode(mask)


def test_values_that_do_not_repeat_are_read() -> None:
    # What the editor writes for changing values: flag 0, then as many values as the length says.
    values = [0, 0, 0, 255, 0, 0, 0, 0]
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits += f"0{0:02b}{7:03b}" + "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    encoded = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert decode_brush(encoded, 1, 2).tolist() == [[True, False]]


@pytest.mark.parametrize("spoil", [lambda rle: rle[:-2], lambda rle: rle[:3], lambda rle: [], lambda rle: [300]])
def test_a_damaged_encoding_is_told(spoil: object) -> None:
    encoded = encode_brush(np.eye(9, dtype=bool))
    with pytest.raises(DataError, match=r"a brush mask cannot be read .*; export it again from the tool"):
        decode_brush(spoil(encoded), 9, 9)  # type: ignore[operator]


def test_a_mask_of_another_size_is_told() -> None:
    with pytest.raises(DataError, match="324 values of 8 bits for 9x8 pixels"):
        decode_brush(encode_brush(np.eye(9, dtype=bool)), 9, 8)
