from __future__ import annotations

import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.upload.server import S3Server
from edgeseg import softlabels
from edgeseg.errors import CacheError, StoreError
from edgeseg.softlabels import CacheInfo, CacheWriter
from edgeseg.softlabels.places import LocalPlace, ObjectPlace, Place, place_of
from edgeseg.stores import obstore, open_store

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
    assert place_of("s3://bucket/cache").name == "s3://bucket/cache"
    with pytest.raises(StoreError, match="nowhere://x: is no object store"):
        place_of("nowhere://x").has("a")


def test_cache_in_an_object_store_is_the_same(cache: Path, info: CacheInfo, probs: Probs) -> None:
    url = f"memory://{uuid.uuid4()}"
    with CacheWriter(url, info) as writer:
        for sample_id, p in probs.items():
            writer.put(sample_id, p)
        with pytest.raises(CacheError, match="another process is writing this cache"):
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


WRITER = """
import pickle, sys, time
from edgeseg.softlabels import CacheWriter
info, probs = pickle.load(sys.stdin.buffer)
with CacheWriter(sys.argv[1], info) as writer:
    writer.put("c", probs["c"])
    print("written", flush=True)
    time.sleep(600)
"""


def test_cache_whose_writer_was_killed_is_gone_on_with(s3: str, info: CacheInfo, probs: Probs) -> None:
    words = [sys.executable, "-c", WRITER, s3]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdin is not None and killed.stdout is not None
        killed.stdin.write(pickle.dumps((info, probs)))
        killed.stdin.close()
        assert killed.stdout.readline() == b"written\n"
        killed.kill()
    with CacheWriter(s3, info, resume=True) as writer:
        assert writer.has("c") and not writer.has("train/a")
        for sample_id, p in probs.items():
            writer.put(sample_id, p)
        writer.finish({})
    assert softlabels.verify(s3).ok


def test_cache_on_a_webdav_server_is_read(s3_server: S3Server, cache: Path) -> None:
    url = f"http://127.0.0.1:{s3_server.webdav_port}/my-frames/{uuid.uuid4()}"
    for path in filter(Path.is_file, cache.rglob("*")):
        obstore().put(open_store(url), path.relative_to(cache).as_posix(), path.read_bytes())
    assert softlabels.verify(url).ok and softlabels.open(url).info == softlabels.open(cache).info


def test_store_that_refuses_or_has_no_cache_is_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (s3, "s3://no-such-bucket/cache"):
        with pytest.raises(CacheError, match=f"{url}: is not a soft-label cache .*edgeseg cache build"):
            softlabels.open(url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with pytest.raises(StoreError, match=f"cannot read {s3}-2/info.json: .*403.*check the URL") as told:
        softlabels.open(f"{s3}-2")
    assert "another-secret" not in str(told.value)


def test_memory_is_not_read_by_another_process(place: Place) -> None:
    if isinstance(place, ObjectPlace):
        with pytest.raises(CacheError, match="is in the memory of one process; read it there, with workers=0"):
            pickle.dumps(place)
