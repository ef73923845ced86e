"""Handing items to an upload: each to one, and back when that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg.device.spool import Spool, SpoolLimits, SpoolReader
from edgeseg.errors import SpoolError
from edgeseg.records import Record

MakeItem = Callable[[int], tuple[Record, dict[str, bytes]]]
CLAIMER = """
import sys, time
from pathlib import Path
from edgeseg.device.spool import Spool
spool = Spool(Path(sys.argv[1]))
print(spool.claim()[0].id, flush=True)
time.sleep(600)
"""


def _fill(spool: Spool, make_item: MakeItem, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        spool.put(*make_item(number))


def _frames(items: list) -> list[str]:
    return [item.record.frame_id for item in items]


def test_claim_gives_the_highest_value_first_and_each_once(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (3, 9, 5))
    with Spool(spool.path) as other:
        assert _frames(spool.claim(1)) == ["f9"]
        assert _frames(other.claim(5)) == ["f5", "f3"]
        assert spool.claim(5) == []
        assert spool.info().leased == 3


def test_released_item_is_handed_out_again(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1, 2))
    (item,) = spool.claim()
    spool.release(item.id)
    assert _frames(spool.claim()) == ["f2"]


def test_uploaded_item_is_gone_and_never_comes_back(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1, 2))
    (item,) = spool.claim()
    spool.mark_uploaded(item.id)
    assert item.id not in spool
    assert not spool.put(*make_item(2)), "it was sent already"
    assert spool.info().to_dict() == {**spool.info().to_dict(), "items": 1, "pending": 1, "uploaded": 1, "leased": 0}


def test_uploaded_item_may_stay_and_is_not_handed_out(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1,))
    (item,) = spool.claim()
    spool.mark_uploaded(item.id, keep=True)
    assert item.id in spool
    assert spool.claim() == []
    assert spool.claim_item(item.id) is None
    assert [i.state for i in spool.list()] == ["uploaded"]
    info = spool.info()
    assert (info.items, info.pending, info.uploaded) == (1, 0, 1)


def test_announced_item_waits_for_its_blobs_to_be_asked_for(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1, 2))
    (item,) = spool.claim()
    spool.mark_announced(item.id)
    assert _frames(spool.claim(5)) == ["f1"]
    asked = spool.claim_item(item.id)
    assert asked is not None
    assert asked.state == "announced"
    assert asked.read_blob("image") == make_item(2)[1]["image"]
    assert spool.claim(1, state="announced") == []
    spool.mark_uploaded(item.id)
    assert spool.info().uploaded == 1


def test_items_are_taken_out_together_or_not_at_all(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1, 2, 3, 4))
    ids = [make_item(number)[0].item_id for number in (1, 2, 3, 4)]
    (uploaded,) = spool.claim()
    spool.mark_uploaded(uploaded.id, keep=True)
    spool.claim()
    assert spool.remove_all(ids) == set(ids[2:]), "4 was uploaded, 3 is on its way"
    assert _frames(spool.list()) == ["f4", "f3", "f2", "f1"]
    assert spool.remove_all(ids[:2]) == set()
    assert _frames(spool.list()) == ["f4", "f3"]
    assert spool.remove_all(ids[:1]) == {ids[0]}, "it is no longer there"
    assert not spool.put(*make_item(4)), "it is remembered as sent"


def test_closing_gives_back_what_was_held(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1, 2))
    with Spool(spool.path) as other:
        assert len(other.claim(2)) == 2
        assert spool.claim(2) == []
    assert len(spool.claim(2)) == 2


def test_killed_upload_gives_back_what_it_held(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1,))
    with subprocess.Popen([sys.executable, "-c", CLAIMER, str(spool.path)], stdout=subprocess.PIPE) as upload:
        assert upload.stdout is not None
        assert upload.stdout.readline().decode().strip() == make_item(1)[0].item_id
        assert spool.claim() == []
        assert not spool.remove(make_item(1)[0].item_id)
        os.kill(upload.pid, signal.SIGKILL)
        upload.wait()
    assert _frames(spool.claim()) == ["f1"]


@pytest.mark.parametrize("call", ["release", "mark_uploaded", "mark_announced"])
def test_item_of_another_upload_is_not_touched(spool: Spool, make_item: MakeItem, call: str) -> None:
    _fill(spool, make_item, (1,))
    with Spool(spool.path) as other:
        (item,) = other.claim()
        for taken in (False, True):
            if taken:
                _fill(spool, make_item, (2,))
                spool.claim()
            with pytest.raises(SpoolError, match="is not held by this upload; claim it first"):
                getattr(spool, call)(item.id)
        assert spool.info().leased == 2


def test_damaged_item_is_not_handed_out_and_does_not_hold_up_others(
    spool: Spool, make_item: MakeItem, capsys: pytest.CaptureFixture[str]
) -> None:
    _fill(spool, make_item, (1, 2))
    (spool.path / "items" / make_item(2)[0].item_id / "record.json").write_text("{")
    assert _frames(spool.claim()) == ["f1"]
    assert "record.json: is not a JSON record" in capsys.readouterr().err
    assert len(spool.verify().problems) == 1


def test_damaged_blob_is_found_on_reading(spool: Spool, make_item: MakeItem) -> None:
    _fill(spool, make_item, (1,))
    (item,) = spool.claim()
    with pytest.raises(SpoolError, match="has no blob 'classes'"):
        item.read_blob("classes")
    (item.folder / "image.png").write_bytes(b"x")
    with pytest.raises(SpoolError, match=r"image\.png: is damaged; see edgeseg spool repair"):
        item.read_blob("image")
    (item.folder / "image.png").unlink()
    with pytest.raises(SpoolError, match=r"image\.png: cannot be read"):
        item.read_blob("image")


def test_what_is_being_uploaded_is_never_evicted(tmp_path: Path, make_item: MakeItem) -> None:
    record, blobs = make_item(1)
    size = len(record.to_json()) + 4000
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(2.5 * size))) as spool:
        _fill(spool, make_item, (1, 2))
        held = spool.claim_item(record.item_id)
        assert held is not None
        assert spool.put(*make_item(7))
        assert _frames(list(SpoolReader(spool.path).list())) == ["f7", "f1"]
        assert spool.info().evicted == 1
        assert held.read_blob("image") == blobs["image"]
