from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.softlabels.tiles import decode_tile, encode_tile


@pytest.mark.parametrize("step", [0.1, 0.001, 1e-4])
def test_tile_comes_back_the_nearer_the_finer(step: float) -> None:
    logs = np.random.default_rng(0).normal(size=(3, 32, 48)).astype(np.float32)
    logs -= logs.mean(axis=0)
    found = np.empty_like(logs)
    decode_tile(encode_tile(logs, step), 3, (32, 48), found, 0, 0)
    found -= found.mean(axis=0)
    assert np.abs(found - logs).max() <= 12 * step + 1e-4


def test_part_of_a_tile_equals_the_slice() -> None:
    logs = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    content = encode_tile(logs, 0.05)
    whole, part = np.empty_like(logs), np.zeros((3, 20, 30), np.float32)
    decode_tile(content, 3, (64, 64), whole, 0, 0)
    decode_tile(content, 3, (64, 64), part, -18, -6)
    np.testing.assert_array_equal(part, whole[:, 18:38, 6:36])
    beside = np.zeros((3, 100, 90), np.float32)
    decode_tile(content, 3, (64, 64), beside, 50, 40)
    np.testing.assert_array_equal(beside[:, 50:, 40:], whole[:, :50, :50])
    assert not beside[:, :50].any() and not beside[:, :, :40].any()


def slowly_decoded(content: bytes, classes: int, height: int, width: int) -> NDArray[np.float64]:
    """A tile as the format's description has it, number by number."""
    _, level, used, step = struct.unpack_from("<BBHf", content)
    steps = np.frombuffer(content, "<f4", used, 8)
    body = np.frombuffer(zstandard.ZstdDecompressor().decompress(content[8 + 4 * used :]), np.uint8).astype(int)
    split = 4 * classes * used
    basis = unsigned_to_signed(body[:split] + 256 * body[split : 2 * split]).reshape(2, 2, classes, used) * steps
    planes = body[2 * split :].reshape(level, used, 64, height // 16, width // 16)
    codes = unsigned_to_signed(planes[0] + (256 * planes[1] if level == 2 else 0))
    for i in range(1, codes.shape[2]):
        codes[:, 0, i, 0] += codes[:, 0, i - 1, 0]
    for j in range(1, codes.shape[3]):
        codes[:, 0, :, j] += codes[:, 0, :, j - 1]
    order = sorted(range(64), key=lambda i: (i // 8 + i % 8, i))
    tile = np.empty((classes, height, width))
    for i, j in np.ndindex(*codes.shape[2:]):
        spectrum = np.zeros((used, 64))
        spectrum[:, order] = step * codes[:, :, i, j]
        latent = np.stack([cv2.idct(s) for s in spectrum.reshape(used, 8, 8)])
        for r, s in np.ndindex(2, 2):
            part = np.einsum("ck,kyx->cyx", basis[r, s], latent)
            tile[:, i * 16 + r : i * 16 + 16 : 2, j * 16 + s : j * 16 + 16 : 2] = part
    return tile


def unsigned_to_signed(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.where(numbers % 2, -(numbers + 1) // 2, numbers // 2)


@pytest.mark.parametrize(("step", "level"), [(0.2, 1), (0.004, 2)])
def test_decoding_is_what_the_format_says(step: float, level: int) -> None:
    rng = np.random.default_rng(1)
    logs = rng.normal(size=(6, 3)) @ rng.normal(size=(3, 32 * 48))
    content = encode_tile(np.ascontiguousarray(logs.reshape(6, 32, 48), np.float32), step)
    assert content[:2] == bytes([1, level])
    found = np.empty((6, 32, 48), np.float32)
    decode_tile(content, 6, (32, 48), found, 0, 0)
    np.testing.assert_allclose(found, slowly_decoded(content, 6, 32, 48), atol=1e-4)


def test_too_fine_a_step_is_refused() -> None:
    logs = np.random.default_rng(0).normal(scale=5, size=(3, 16, 16)).astype(np.float32)
    with pytest.raises(CacheError, match="vary too much to be encoded so finely; allow a larger divergence"):
        encode_tile(logs, 1e-7)
