from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.softlabels import FrameStore, MissingFrameError
from edgeseg.softlabels.framefile import check


@pytest.fixture
def store(tmp_path: Path, draw_probs: Callable[..., NDArray[np.float32]]) -> FrameStore:
    store = FrameStore(tmp_path)
    store.put("a", draw_probs(3, 150, 70))
    return store


@pytest.mark.parametrize("window", [(0, 0, 150, 70), (0, 0, 1, 1), (60, 3, 10, 20), (64, 0, 64, 70), (127, 69, 23, 1)])
def test_window_equals_slice(store: FrameStore, window: tuple[int, int, int, int]) -> None:
    top, left, height, width = window
    whole = store.read("a")
    part = store.window("a", *window)
    assert part.shape == (3, height, width) and part.dtype == np.float32
    np.testing.assert_array_equal(part, whole[:, top : top + height, left : left + width])


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 151, 70), (0, 60, 10, 11), (0, 0, 0, 5)])
def test_window_outside_is_refused(store: FrameStore, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(CacheError, match=r"not inside the 150x70 soft labels of 'a'"):
        store.window("a", *window)


def test_every_damaged_byte_is_found(store: FrameStore) -> None:
    path = store.path("a")
    whole = path.read_bytes()
    for position in [*range(0, 300, 3), *range(300, len(whole), 97)]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        with pytest.raises(CacheError, match=r"'a' are damaged.*--resume"):
            check(path, "a")
        with pytest.raises(CacheError, match=r"'a' are damaged.*--resume"):
            store.read("a")
        assert not store.has("a")


@pytest.mark.parametrize("kept", [0, 5, 16, 40, -1])
def test_truncated_frame_is_refused(store: FrameStore, kept: int) -> None:
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CacheError, match=r"a\.soft: the soft labels of 'a' are damaged"):
        store.window("a", 0, 0, 2, 2)


def test_missing_frame_is_named(store: FrameStore) -> None:
    with pytest.raises(MissingFrameError, match=r"no soft labels of 'b'.*--resume"):
        store.read("b")


def test_renamed_frame_is_refused(store: FrameStore) -> None:
    store.path("a").rename(store.path("b"))
    with pytest.raises(CacheError, match="it holds the soft labels of 'a'"):
        store.read("b")


def test_newer_frame_is_refused(store: FrameStore) -> None:
    text = json.dumps({"version": 2}).encode()
    store.path("a").write_bytes(struct.pack("<8sII", b"edgesoft", len(text), zlib.crc32(text)) + text)
    with pytest.raises(CacheError, match=r"frame format 2 is newer.*update edgeseg"):
        store.read("a")


@pytest.mark.parametrize("sample_id", ["../x", "/etc/x", "a/../../x", ""])
def test_id_that_leads_out_of_the_folder_is_refused(store: FrameStore, sample_id: str) -> None:
    with pytest.raises(CacheError, match="not a relative path"):
        store.path(sample_id)


def test_ids_with_dots_and_folders_keep_their_names(
    store: FrameStore, draw_probs: Callable[..., NDArray[np.float32]]
) -> None:
    store.put("drive/2024.05.frame", draw_probs(3, 8, 8))
    assert list(store.ids()) == ["a", "drive/2024.05.frame"]
    assert store.shape("drive/2024.05.frame") == (3, 8, 8)
