"""The spool: whole items or none, under kills, full disks, damage and several writers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.errors import OutputError, SpoolError
from edgeseg.records import Record

MakeItem = Callable[[int], tuple[Record, dict[str, bytes]]]


def _leftovers(spool: Spool) -> list[str]:
    return [p.name for p in (spool.path / "incoming").iterdir()]


def test_item_comes_back_as_it_was_put(spool: Spool, make_item: MakeItem) -> None:
    record, blobs = make_item(1)
    assert spool.put(record, blobs)
    item = spool.item(record.item_id)
    assert item.record == record
    image = item.blob("image")
    assert image is not None
    assert image.read_bytes() == blobs["image"]
    assert item.blob("classes") is None
    assert not _leftovers(spool)


def test_same_item_twice_is_one(spool: Spool, make_item: MakeItem) -> None:
    assert spool.put(*make_item(1))
    assert not spool.put(*make_item(1))
    assert spool.info().items == 1


def test_list_is_highest_score_first(spool: Spool, make_item: MakeItem) -> None:
    for number in (2, 9, 4):
        spool.put(*make_item(number))
    listed = [item.to_dict() for item in spool.list()]
    assert [i["score"] for i in listed] == [9, 4, 2]
    assert [i["frame"] for i in listed] == ["f9", "f4", "f2"]
    assert set(listed[0]) >= {"id", "vehicle", "drive", "strategy", "regions", "bytes"}


def test_info_counts_items_and_their_bytes(spool: Spool, make_item: MakeItem) -> None:
    for number in range(3):
        spool.put(*make_item(number))
    files = [p for p in (spool.path / "items").rglob("*") if p.is_file()]
    assert spool.info().to_dict() == {
        "items": 3,
        "bytes": sum(p.stat().st_size for p in files),
        "pending": 3,
        "uploaded": 0,
        "evicted": 0,
        "leased": 0,
    }


def test_removed_item_is_gone(spool: Spool, make_item: MakeItem) -> None:
    record, blobs = make_item(1)
    spool.put(record, blobs)
    spool.remove(record.item_id)
    assert record.item_id not in spool
    assert spool.list() == []
    assert not _leftovers(spool)


def test_reading_needs_no_right_to_write(spool: Spool, make_item: MakeItem) -> None:
    spool.put(*make_item(1))
    before = sorted(p.name for p in spool.path.iterdir())
    reader = SpoolReader(spool.path)
    assert reader.verify().problems == ()
    assert len(reader.list()) == 1
    assert sorted(p.name for p in spool.path.iterdir()) == before


def test_damaged_blob_is_found(spool: Spool, make_item: MakeItem) -> None:
    for number in range(3):
        spool.put(*make_item(number))
    path = spool.item(make_item(1)[0].item_id).blob("image")
    assert path is not None
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    check = spool.verify()
    assert check.items == 3
    assert len(check.problems) == 1
    assert f"{path}: is damaged" in check.problems[0]
    assert "3 items, 1 problems" in check.summary()


@pytest.mark.parametrize("how", ["cut", "missing", "of another item"])
def test_damaged_record_is_found_and_not_listed_as_another(spool: Spool, make_item: MakeItem, how: str) -> None:
    spool.put(*make_item(1))
    spool.put(*make_item(2))
    path = spool.path / "items" / make_item(1)[0].item_id / "record.json"
    if how == "missing":
        path.unlink()
    else:
        path.write_text(path.read_text()[:50] if how == "cut" else make_item(3)[0].to_json())
    assert any(str(path.parent) in problem for problem in spool.verify().problems)
    if how != "of another item":
        assert [item.id for item in spool.list()] == [make_item(2)[0].item_id]


def test_missing_blob_is_found(spool: Spool, make_item: MakeItem) -> None:
    spool.put(*make_item(1))
    path = spool.item(make_item(1)[0].item_id).blob("entropy")
    assert path is not None
    path.unlink()
    assert any("entropy.png: cannot be read" in problem for problem in spool.verify().problems)


def test_what_is_no_spool_is_refused_for_reading(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SpoolError, match="is no spool"):
            SpoolReader(place)


def test_folder_of_other_things_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt and is no spool"):
        Spool(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_newer_format_is_refused(spool: Spool) -> None:
    (spool.path / "spool.json").write_text(json.dumps({"format": 99}))
    for create in (True, False):
        with pytest.raises(SpoolError, match="format 99"):
            (Spool if create else SpoolReader)(spool.path)


@pytest.mark.parametrize("place", ["a_file", "a_file/below", "/proc/no/spool"])
def test_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "a_file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*check that the folder exists"):
        Spool(tmp_path / place)


def test_sweeping_spares_another_writers_work(spool: Spool) -> None:
    (spool.path / "incoming" / "in-work").mkdir()
    with Spool(spool.path) as second:
        assert _leftovers(second) == ["in-work"], "the first writer still runs"
    spool.close()
    with Spool(spool.path) as third:
        assert not _leftovers(third)


def test_two_writers_of_one_item_leave_one(spool: Spool, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch) -> None:
    record, blobs = make_item(1)
    write = Spool._write

    def write_while_the_other_is_faster(self: Spool, *parts: Any) -> None:
        write(self, *parts)
        if self is spool:
            assert other.put(record, blobs)

    with Spool(spool.path) as other:
        monkeypatch.setattr(Spool, "_write", write_while_the_other_is_faster)
        assert not spool.put(record, blobs)
    assert spool.verify().items == 1
    assert not _leftovers(spool)
