"""What a spool is after kills, full, read-only and failing disks, damage, jumping clocks and several writers."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgeseg.device.spool import Spool, SpoolLimits, SpoolReader
from edgeseg.errors import OutputError, SpoolError
from edgeseg.records import Record

MakeItem = Callable[[int], tuple[Record, dict[str, bytes]]]
Leftovers = Callable[[Spool], list[str]]
ROOT = Path(__file__).parents[3]
REQUESTS_OF_A_PUT = 7
"""One folder, three files, its sync, the rename, the sync of all items."""
ON_A_SMALL_DISK = """
import importlib.util, subprocess, sys
from pathlib import Path
from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.errors import OutputError
spec = importlib.util.spec_from_file_location("helper", sys.argv[2])
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", disk], check=True)
kept = []
with Spool(disk / "spool") as spool:
    for number in range(100):
        record, blobs = helper.item(number, 40_000)
        try:
            spool.put(record, blobs)
        except OutputError as error:
            print("full:", error)
            break
        kept.append(record.item_id)
    assert 5 < len(kept) < 50, kept
    assert sorted(kept) == sorted(spool.ids())
    assert not list((disk / "spool" / "incoming").iterdir())
    spool.remove(kept.pop())
    spool.remove(kept.pop())
    assert spool.put(*helper.item(100, 40_000)), "with room again it goes in"
    kept.append(helper.item(100, 40_000)[0].item_id)
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
reader = SpoolReader(disk / "spool")
assert reader.verify().problems == () and sorted(reader.ids()) == sorted(kept)
assert reader.info().items == len(kept)
try:
    Spool(disk / "spool")
except OutputError as error:
    print("opening:", error)
"""
WRITER = """
import importlib.util, random, sys
from pathlib import Path
from edgeseg.device.spool import Spool
spec = importlib.util.spec_from_file_location("helper", sys.argv[2])
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
numbers = list(range(25))
random.Random(int(sys.argv[3])).shuffle(numbers)
with Spool(Path(sys.argv[1])) as spool:
    for number in numbers:
        if spool.put(*helper.item(number)):
            print("put", number, flush=True)
        if number % 2:
            for item in spool.claim():
                print("sent", item.id, flush=True)
                spool.mark_uploaded(item.id)
"""


def _helper() -> str:
    return str(Path(__file__).parent.with_name("conftest.py"))


def _put(spool: Spool, make_item: MakeItem, *numbers: int) -> list[str]:
    for number in numbers:
        assert spool.put(*make_item(number))
    return [make_item(number)[0].item_id for number in numbers]


def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """A few kills; ``benchmarks/results/spool/kill.json`` has hundreds."""
    program = [sys.executable, "-m", "benchmarks.spool.kill", "--points", "8", "--results", str(tmp_path / "r.json")]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    for spool in json.loads((tmp_path / "r.json").read_text())["spools"].values():
        assert spool["acknowledged"] > 0
        assert (spool["lost"], spool["torn"], spool["twice"]) == ([], [], [])
        assert spool["counts"]["leftovers"] == 0, "the next writer sweeps what killed ones left"


@pytest.mark.parametrize(("error", "forever"), [(errno.ENOSPC, False), (errno.EIO, False), (errno.EROFS, True)])
@pytest.mark.parametrize("request_number", range(REQUESTS_OF_A_PUT))
def test_write_that_fails_leaves_nothing_and_takes_nothing(
    tmp_path: Path,
    storage: Any,
    make_item: MakeItem,
    leftovers: Leftovers,
    request_number: int,
    error: int,
    forever: bool,
) -> None:
    storage.error = error
    with Spool(tmp_path / "s", storage=storage) as spool:
        kept = _put(spool, make_item, 1)
        storage.fail_at, storage.forever = len(storage.requests) + request_number, forever
        with pytest.raises(OutputError, match="injected fault; check that the folder exists, is writable and has"):
            spool.put(*make_item(2))
        assert spool.verify().problems == ()
        storage.fail_at = None
        if not forever:
            assert spool.ids() == tuple(kept)
            assert not leftovers(spool)
        _put(spool, make_item, 2)
    with Spool(tmp_path / "s") as after:
        assert set(after.ids()) == {make_item(n)[0].item_id for n in (1, 2)}
        assert after.info().items == 2
        assert not leftovers(after)


def test_put_makes_the_requests_that_are_made_to_fail(tmp_path: Path, storage: Any, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", storage=storage) as spool:
        before = len(storage.requests)
        _put(spool, make_item, 1)
        asked = storage.requests[before:]
    assert asked == ["make_folder", "write", "write", "write", "sync_folder", "rename", "sync_folder"]
    assert len(asked) == REQUESTS_OF_A_PUT


@pytest.mark.parametrize("request_number", range(REQUESTS_OF_A_PUT + 2))
def test_failing_eviction_or_put_under_a_quota_loses_nothing_but_the_lowest(
    tmp_path: Path, storage: Any, make_item: MakeItem, request_number: int
) -> None:
    size = len(make_item(1)[0].to_json()) + 4000
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(2.5 * size)), storage) as spool:
        _put(spool, make_item, 1, 2)
        storage.fail_at = len(storage.requests) + request_number
        with pytest.raises(OutputError):
            spool.put(*make_item(3))
        assert make_item(2)[0].item_id in spool
        assert make_item(3)[0].item_id not in spool
        assert (make_item(1)[0].item_id in spool) == (request_number < 2)
        assert spool.info().items == len(spool.ids())
        assert spool.verify().problems == ()


def test_index_that_cannot_be_written_takes_nothing(spool: Spool, make_item: MakeItem, leftovers: Leftovers) -> None:
    kept = _put(spool, make_item, 1)
    connection = spool._index._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    taken, failed = list(kept), 0
    for number in range(2, 200):
        try:
            taken += _put(spool, make_item, number)
        except OutputError as error:
            failed += 1
            if failed > 3:
                break
            assert "index.sqlite: database or disk is full; check" in str(error)
    assert failed > 0
    assert sorted(taken) == list(spool.ids())
    assert not leftovers(spool)
    connection.execute("PRAGMA max_page_count = 100000")
    _put(spool, make_item, 1000)


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)


def test_write_that_the_system_cuts_short_leaves_nothing(
    spool: Spool, make_item: MakeItem, leftovers: Leftovers
) -> None:
    kept = _put(spool, make_item, 1)
    with _file_size_limit(1000), pytest.raises(OutputError, match="cannot write"):
        spool.put(*make_item(2))
    assert spool.ids() == tuple(kept)
    assert not leftovers(spool)
    _put(spool, make_item, 2)


def test_full_disk_and_read_only_remount(tmp_path: Path) -> None:
    """A real, small disk; needs the right to mount one in a namespace of its own."""
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    program = ["unshare", "-rm", sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path), _helper()]
    done = subprocess.run(program, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    full, opening = done.stdout.strip().split("\n")
    assert "No space left on device; check that" in full
    assert "Read-only file system; check that the folder exists, is writable" in opening


def test_no_part_of_a_spool_reads_a_clock(spool: Spool, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch) -> None:
    """So none that jumps backward can do harm."""

    def forbidden() -> float:
        raise AssertionError("a clock was read")

    for name in ("time", "time_ns", "monotonic", "monotonic_ns"):
        monkeypatch.setattr(time, name, forbidden)
    _put(spool, make_item, 1, 2, 3)
    with Spool(spool.path) as other:
        (item,) = other.claim()
        other.mark_uploaded(item.id)
    assert spool.remove(make_item(1)[0].item_id)
    assert spool.repair().items == 1


def test_items_written_while_the_clock_ran_backward_are_all_there(spool: Spool, make_item: MakeItem) -> None:
    ids = _put(spool, make_item, 1, 2, 3)
    for age, item_id in enumerate(ids):
        os.utime(spool.path / "items" / item_id, (10_000 - age, 10_000 - age))
    with Spool(spool.path) as other:
        assert [item.record.frame_id for item in other.claim(5)] == ["f3", "f2", "f1"]


def test_two_agents_on_one_spool_take_each_item_once_and_send_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "s"), _helper()]
    agents = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in (1, 2)]
    told = [line for agent in agents for line in agent.communicate()[0].splitlines()]
    assert [agent.returncode for agent in agents] == [0, 0]
    assert len(told) == len(set(told)), "something was done twice"
    assert {int(line.split()[1]) for line in told if line.startswith("put")} == set(range(25))
    sent = {line.split()[1] for line in told if line.startswith("sent")}
    reader = SpoolReader(tmp_path / "s")
    assert reader.verify().problems == ()
    assert sent.isdisjoint(reader.ids())
    assert len(sent) + len(reader.ids()) == 25
    assert reader.info().uploaded == len(sent)


def test_index_that_is_lost_is_made_again_from_the_items(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s") as spool:
        _put(spool, make_item, 1, 2)
    for path in (tmp_path / "s").glob("index.sqlite*"):
        path.unlink()
    assert SpoolReader(tmp_path / "s").info().pending == 2
    with Spool(tmp_path / "s") as spool:
        assert spool.info().pending == 2
        assert [item.record.frame_id for item in spool.claim(5)] == ["f2", "f1"]


@pytest.mark.parametrize("damage", [b"no database at all" * 300, None])
def test_damaged_index_is_set_aside_and_made_anew(
    tmp_path: Path, make_item: MakeItem, capsys: pytest.CaptureFixture[str], damage: bytes | None
) -> None:
    with Spool(tmp_path / "s") as spool:
        _put(spool, make_item, *range(1, 60))
    path = tmp_path / "s" / "index.sqlite"
    content = path.read_bytes()
    path.write_bytes(damage or content[:8192] + bytes(4096) + content[12288:])
    if damage:
        assert SpoolReader(tmp_path / "s").info().items == 59
        assert "what became of the items is not known" in capsys.readouterr().err
    with Spool(tmp_path / "s") as spool:
        assert spool.info().pending == 59
        assert spool.repair().index_made_anew
    assert "is made anew from the items" in capsys.readouterr().err
    assert (tmp_path / "s" / "index.sqlite.damaged").exists()


def test_damaged_index_is_not_replaced_under_another_writer(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s") as spool:
        spool._index.close()
        (tmp_path / "s" / "index.sqlite").write_bytes(b"no database at all" * 300)
        with pytest.raises(SpoolError, match="stop what writes there, then run: edgeseg spool repair"):
            Spool(tmp_path / "s")
        spool._index._connection = sqlite3.connect(":memory:")


def test_repair_moves_damaged_items_aside(spool: Spool, make_item: MakeItem) -> None:
    ids = _put(spool, make_item, 1, 2, 3)
    (held,) = spool.claim()
    for item_id in ids[1:]:
        (spool.path / "items" / item_id / "image.png").write_bytes(b"x")
    report = spool.repair()
    assert report.to_dict() == {"items": 1, "damaged": [ids[1]], "held": [held.id], "index_made_anew": False}
    assert f"moved to damaged/: {ids[1]}" in report.summary()
    assert f"damaged, but held by an upload: {held.id}" in report.summary()
    spool.release(held.id)
    assert spool.repair().damaged == (ids[2],)
    assert spool.verify().problems == ()
    assert spool.info().items == 1
    assert sorted(p.name for p in (spool.path / "damaged").iterdir()) == sorted(ids[1:])
    _put(spool, make_item, 2)


def test_what_a_killed_writer_had_begun_to_take_out_comes_back(
    spool: Spool, make_item: MakeItem, leftovers: Leftovers
) -> None:
    ids = _put(spool, make_item, 1, 2)
    for item_id in ids:
        (spool.path / "items" / item_id).rename(spool.path / "incoming" / f"{item_id}.gone.1.1.1")
    assert [item.record.frame_id for item in spool.claim()] == ["f2"], "even before anybody opens it again"
    spool.close()
    with Spool(spool.path) as after:
        assert set(after.ids()) == set(ids)
        assert after.verify().problems == ()
        assert not leftovers(after)


def test_whole_item_without_a_row_comes_in_and_one_that_went_goes(spool: Spool, make_item: MakeItem) -> None:
    ids = _put(spool, make_item, 1, 2)
    spool._index.forget(ids[0])
    with spool._index.transaction():
        spool._index.set_state(ids[1], "evicted", stored=False)
    with Spool(spool.path) as after:
        assert after.ids() == (ids[0],)
        assert after.info().items == 1


def test_item_that_was_deleted_by_hand_is_told_and_forgotten(
    spool: Spool, make_item: MakeItem, capsys: pytest.CaptureFixture[str], storage: Any
) -> None:
    ids = _put(spool, make_item, 1)
    storage.remove_tree(spool.path / "items" / ids[0])
    with Spool(spool.path) as after:
        assert after.info().items == 0
    assert "is gone, though nothing of edgeseg took it out" in capsys.readouterr().err


def test_error_of_a_disk_that_breaks_names_place_and_cure(tmp_path: Path, storage: Any, make_item: MakeItem) -> None:
    storage.error = errno.EIO
    with Spool(tmp_path / "s", storage=storage) as spool:
        chance = random.Random(0)
        for number in range(20):
            storage.fail_at = len(storage.requests) + chance.randrange(14)
            try:
                spool.put(*make_item(number))
            except OutputError as error:
                assert "cannot write" in str(error)
                assert "check that the folder exists, is writable and has space" in str(error)
        assert spool.info().items == len(spool.ids())
