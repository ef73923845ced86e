"""The lock in an object store: the living keep it, the killed lose it, and of several that want it one gets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from benchmarks.upload.server import S3Server
from edgeseg.errors import CacheError, OutputError
from edgeseg.softlabels import store_lock
from edgeseg.softlabels.places import place_of
from edgeseg.softlabels.process import Process
from edgeseg.softlabels.store_lock import LOCK_NAME, StoreLock
from edgeseg.stores import obstore, open_store

ELSEWHERE = replace(Process.this(), host="elsewhere", machine="another boot")
HOLDER = """
import sys
from edgeseg.softlabels.places import place_of
place = place_of(sys.argv[1])
place.lock()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["memory", "s3"])
def url(request: pytest.FixtureRequest) -> str:
    return f"memory://{uuid.uuid4()}" if request.param == "memory" else str(request.getfixturevalue("s3"))


def _leave(url: str, process: Process, renewed: bool = True) -> None:
    """A lock whose holder does nothing any more."""
    said = {"token": "t", "renewals": 1, "renewed": renewed, **asdict(process)}
    obstore().put(open_store(url), LOCK_NAME, json.dumps(said).encode())


def _etag(url: str) -> str:
    return str(obstore().head(open_store(url), LOCK_NAME)["e_tag"])


def _keys(url: str) -> list[str]:
    return [entry["path"] for batch in obstore().list(open_store(url)) for entry in batch]


def _make_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every lock that is there is too old, by a store's clock of whole seconds too."""
    monkeypatch.setattr(store_lock, "STALE_S", 0.5)
    time.sleep(2)


def test_nothing_stays_of_a_lock_that_is_released(url: str) -> None:
    for _ in range(2):
        lock = StoreLock(url)
        assert _keys(url) == [LOCK_NAME]
        lock.require()
        lock.release()
        assert _keys(url) == []


def test_holder_on_another_machine_is_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave(url, ELSEWHERE)
    with pytest.raises(
        CacheError, match=r"process \d+ on elsewhere, last heard of \d s ago\).*takes the cache over in"
    ):
        StoreLock(url)
    _make_stale(monkeypatch)
    StoreLock(url).release()


def test_living_holder_renews_and_keeps_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "RENEWAL_S", 0.05)
    lock = StoreLock(url)
    tags = {_etag(url)}
    give_up = time.monotonic() + 30
    while len(tags) < 4 and time.monotonic() < give_up:
        time.sleep(0.05)
        tags.add(_etag(url))
    assert len(tags) == 4
    with pytest.raises(CacheError, match="another process is writing this cache"):
        StoreLock(url)
    lock.require()
    lock.release()
    time.sleep(0.2)
    assert _keys(url) == []


def test_holder_that_was_killed_on_this_machine_is_followed_at_once(s3: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = [sys.executable, "-c", HOLDER, s3]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(CacheError, match=f"process {holder.pid} on .*; wait for it"):
        place_of(s3).lock()
    os.kill(holder.pid, signal.SIGKILL)
    while not _holder(s3).is_dead():  # a process that waits to be reaped counts as dead
        time.sleep(0.05)
    place = place_of(s3)
    place.unlock(place.lock())
    holder.communicate()
    assert f"taken over from process {holder.pid} on" in capfd.readouterr().err
    assert _keys(s3) == []


def _holder(url: str) -> Process:
    said = json.loads(bytes(obstore().get(open_store(url), LOCK_NAME).bytes()))
    return Process(**{name: said[name] for name in asdict(ELSEWHERE)})


def test_of_many_that_take_over_at_once_one_gets_it(url: str) -> None:
    dead = subprocess.Popen(["true"])
    _leave(url, replace(Process.this(), pid=dead.pid, started="1"))
    dead.wait()
    start, got, refused = threading.Barrier(6), [], []

    def want(number: int) -> None:
        start.wait()
        try:
            got.append(StoreLock(url))
        except CacheError as error:
            refused.append(str(error))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(want, range(6)))
    assert len(got) == 1 and len(refused) == 5
    assert all("another process is writing this cache" in line for line in refused)
    got[0].require()
    got[0].release()


def test_holder_that_was_taken_over_writes_no_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "TRUSTED_S", 0.0)
    first, second = place_of(url), place_of(url)
    lock = first.lock()
    first.write("a", b"1")
    _make_stale(monkeypatch)
    other = second.lock()
    with pytest.raises(CacheError, match=r"another process took this cache over.*--resume"):
        first.write("a", b"2")
    with pytest.raises(CacheError, match="took this cache over"):
        first.delete("a")
    second.write("b", b"3")
    first.unlock(lock)
    assert _keys(url) == [LOCK_NAME, "a", "b"] and first.read("a") == b"1"
    second.unlock(other)
    assert _keys(url) == ["a", "b"]


def test_renewal_whose_answer_was_lost_is_the_holder_s_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = StoreLock(url)
    put = obstore().put

    def deaf(*words: object, **options: object) -> object:
        put(*words, **options)
        monkeypatch.undo()
        raise OSError("connection reset")

    monkeypatch.setattr(store_lock, "TRUSTED_S", 0.0)
    monkeypatch.setattr(obstore(), "put", deaf)
    with pytest.raises(OutputError, match="connection reset"):
        lock.require()
    monkeypatch.setattr(store_lock, "TRUSTED_S", 0.0)
    lock.require()
    lock.release()
    assert _keys(url) == []


Break = Callable[[dict[str, object]], dict[str, object]]


def _ignores_conditions(options: dict[str, object]) -> dict[str, object]:
    return options if options.get("mode") == "create" else {}


def _has_none(options: dict[str, object]) -> dict[str, object]:
    if isinstance(options.get("mode"), dict):
        raise NotImplementedError
    return options


@pytest.mark.parametrize("broken", [_ignores_conditions, _has_none])
def test_store_without_compare_and_swap_keeps_a_lock_for_good(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    url, put = f"memory://{uuid.uuid4()}", obstore().put
    monkeypatch.setattr(obstore(), "put", lambda *words, **options: put(*words, **broken(options)))
    monkeypatch.setattr(store_lock, "RENEWAL_S", 0.02)
    monkeypatch.setattr(store_lock, "TRUSTED_S", 0.0)
    lock = StoreLock(url)
    before = _etag(url)
    _make_stale(monkeypatch)
    lock.require()
    assert _etag(url) == before
    with pytest.raises(CacheError, match=rf"or was killed; wait for it, or delete {url}/\.lock where none is running"):
        StoreLock(url)
    lock.release()
    StoreLock(url).release()


def test_lock_that_names_no_holder_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    obstore().put(open_store(url), LOCK_NAME, b"")
    _make_stale(monkeypatch)
    with pytest.raises(CacheError, match=r"delete .*/\.lock where none is running"):
        StoreLock(url)


def test_store_that_keeps_no_lock_is_refused(s3_server: S3Server) -> None:
    with pytest.raises(CacheError, match="can be read there, but not written"):
        StoreLock(f"http://127.0.0.1:{s3_server.webdav_port}/{uuid.uuid4()}")
