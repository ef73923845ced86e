from __future__ import annotations

import numpy as np
import pytest

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


def test_too_fine_a_step_is_refused() -> None:
    logs = np.random.default_rng(0).normal(scale=5, size=(3, 16, 16)).astype(np.float32)
    with pytest.raises(CacheError, match="vary too much to be encoded so finely; allow a larger divergence"):
        encode_tile(logs, 1e-7)
