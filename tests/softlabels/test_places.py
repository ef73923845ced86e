from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import softlabels
from edgeseg.errors import CacheError, StoreError
from edgeseg.softlabels import CacheInfo, CacheWriter
from edgeseg.softlabels.places import LocalPlace, ObjectPlace, Place, place_of

Probs = dict[str, NDArray[np.float32]]


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(tmp_path / "p" if request.param == "folder" else f"memory://{uuid.uuid4()}")


def test_objects_come_and_go(place: Place) -> None:
    assert not place.has("a/b")
    place.write("a/b", b"0123456789")
    place.write("a/c", b"")
    assert place.has("a/b") and place.read("a/b") == b"0123456789"
    assert place.read_parts("a/b", [(2, 3), (8, 2)]) == [b"234", b"89"]
    assert place.sizes("a") == {"a/b": 10, "a/c": 0} and place.sizes("z") == {}
    place.delete("a/b")
    place.delete("a/b")
    assert not place.has("a/b")
    with pytest.raises(FileNotFoundError):
        place.read("a/b")
    with pytest.raises(FileNotFoundError):
        place.read_parts("a/b", [(0, 1)])


def test_there_is_one_writer(place: Place, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    lock = place.lock()
    with pytest.raises(CacheError, match="another process is writing this cache"):
        place.lock()
    place.unlock(lock)
    place.unlock(place.lock())


def test_paths_and_urls_name_places(tmp_path: Path) -> None:
    assert isinstance(place_of(tmp_path), LocalPlace) and isinstance(place_of("runs/cache"), LocalPlace)
    local = place_of(f"file://{tmp_path}/a%20b")
    assert isinstance(local, LocalPlace) and local.folder == tmp_path / "a b"
    assert isinstance(place_of("s3://bucket/cache"), ObjectPlace)
    with pytest.raises(StoreError, match="nowhere://x: is no object store"):
        place_of("nowhere://x").has("a")


def test_cache_in_an_object_store_is_the_same(cache: Path, info: CacheInfo, probs: Probs) -> None:
    url = f"memory://{uuid.uuid4()}"
    with CacheWriter(url, info) as writer:
        for sample_id, p in probs.items():
            writer.put(sample_id, p)
        with pytest.raises(CacheError, match=r"was killed.*delete memory://.*/\.lock"):
            CacheWriter(url, info, resume=True)
        writer.finish({})
    soft = softlabels.open(url)
    local = softlabels.open(cache)
    assert soft.info == local.info and softlabels.verify(url).ok
    for sample_id in probs:
        np.testing.assert_array_equal(soft[sample_id], local[sample_id])
    with CacheWriter(url, info, resume=True) as writer:
        writer.discard("c")
    assert set(softlabels.verify(url).bad) == {"c"}
    with pytest.raises(CacheError, match="is not a soft-label cache"):
        softlabels.open(f"memory://{uuid.uuid4()}")
