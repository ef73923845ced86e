"""The container as zarr itself reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from edgeseg import softlabels
from edgeseg.softlabels import CacheInfo, CacheWriter
from edgeseg.softlabels.frames import Frames
from edgeseg.softlabels.places import place_of
from edgeseg.softlabels.zarr_codec import SoftLabelCodec


def test_zarr_reads_the_log_probabilities(
    tmp_path: Path, info: CacheInfo, draw_probs: Callable[..., NDArray[np.float32]]
) -> None:
    probs = draw_probs(4, 300, 280, temperature=8.0)
    with CacheWriter(tmp_path / "c", info) as writer:
        writer.put("c", probs)
    array = zarr.open_array(next((tmp_path / "c" / "frames").glob("300x280/stride*")), mode="r")
    stride = array.attrs["stride"]
    assert array.shape == (3, 4, 300 // stride, 280 // stride)
    assert np.isnan(array[0]).all(), "a frame that is absent"
    logs = array[2, :, 20:70, 30:90]
    frames = Frames(place_of(tmp_path / "c"), info.sample_ids, 4)
    grid, row, column = frames._grid(frames.layout("c"), frames.layout("c").key(2), (20, 70), (30, 90))
    np.testing.assert_array_equal(grid[:, 20 - row : 70 - row, 30 - column : 90 - column], logs)
    if stride == 1:
        odds = np.exp(logs)
        np.testing.assert_allclose(
            odds / odds.sum(axis=0), softlabels.open(tmp_path / "c")["c"][:, 20:70, 30:90], atol=1e-5
        )


def test_zarr_writes_what_it_reads() -> None:
    logs = np.random.default_rng(0).normal(size=(1, 3, 32, 48)).astype(np.float32)
    store = zarr.storage.MemoryStore()
    codec = SoftLabelCodec(step=0.001)
    array = zarr.create_array(
        store, shape=logs.shape, chunks=(1, 3, 16, 16), dtype="float32", serializer=codec, compressors=None
    )
    array[:] = logs
    again = zarr.open_array(store, mode="r")
    assert again.metadata.codecs[0] == codec
    centred = logs - logs.mean(axis=1, keepdims=True)
    found = again[:]
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), centred, atol=0.02)
