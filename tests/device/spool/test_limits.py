"""Quota and minimum of free disk: the lowest value gives way, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.device.spool import Spool, SpoolLimits
from edgeseg.errors import ConfigError, SpoolFull
from edgeseg.records import Record, Score

MakeItem = Callable[[int], tuple[Record, dict[str, bytes]]]


def _size(make_item: MakeItem, number: int = 10) -> int:
    return len(make_item(number)[0].to_json()) + 4000


def _frames(spool: Spool) -> list[str]:
    return [item.record.frame_id for item in spool.list()]


@pytest.mark.parametrize("seed", range(3))
def test_quota_keeps_the_highest_values_whatever_their_order(tmp_path: Path, make_item: MakeItem, seed: int) -> None:
    numbers = random.Random(seed).sample(range(10, 99), 14)
    refused = 0
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(4.9 * _size(make_item)))) as spool:
        for number in numbers:
            try:
                spool.put(*make_item(number))
            except SpoolFull:
                refused += 1
        assert _frames(spool) == [f"f{n}" for n in sorted(numbers, reverse=True)[:4]]
        info = spool.info()
        assert info.items + info.evicted + refused == len(numbers)
        assert info.bytes <= 4.9 * _size(make_item)


def test_item_of_least_value_is_refused_and_told(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(1.5 * _size(make_item)))) as spool:
        spool.put(*make_item(20))
        for number in (10, 19):
            with pytest.raises(SpoolFull, match=f"frame f{number} of value {number} finds no room.*raise the quota"):
                spool.put(*make_item(number))
        assert _frames(spool) == ["f20"]


def test_item_larger_than_the_quota_evicts_nothing(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=_size(make_item) - 100)) as spool:
        with pytest.raises(SpoolFull):
            spool.put(*make_item(10))
        assert spool.info().evicted == 0


def test_minimum_of_free_disk_evicts(tmp_path: Path, storage: Any, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", SpoolLimits(min_free_bytes=1_000_000), storage) as spool:
        spool.put(*make_item(10))
        spool.put(*make_item(11))
        storage.free = 1_000_000
        spool.put(*make_item(12))
        assert _frames(spool) == ["f12", "f11"]
        storage.free = 0
        with pytest.raises(SpoolFull, match="lower the minimum of free disk"):
            spool.put(*make_item(13))
        assert _frames(spool) == ["f12", "f11"]


def test_uploaded_items_that_were_left_give_way_first(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(2.5 * _size(make_item)))) as spool:
        spool.put(*make_item(10))
        spool.put(*make_item(90))
        (item,) = spool.claim()
        spool.mark_uploaded(item.id, keep=True)
        spool.put(*make_item(11))
        assert _frames(spool) == ["f11", "f10"]
        info = spool.info()
        assert (info.uploaded, info.evicted) == (1, 0)
        assert not spool.put(*make_item(90)), "it was uploaded"


def test_evicted_item_may_come_again(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s", SpoolLimits(quota_bytes=int(1.5 * _size(make_item)))) as spool:
        spool.put(*make_item(10))
        spool.put(*make_item(11))
    with Spool(tmp_path / "s") as spool:
        assert spool.put(*make_item(10))
        assert _frames(spool) == ["f11", "f10"]


def test_value_is_the_score_of_that_name_before_the_first_one(spool: Spool, make_item: MakeItem) -> None:
    record, blobs = make_item(1)
    worth = Score(name="value", value=0.5, unit="")
    spool.put(*make_item(2))
    spool.put(record.model_copy(update={"scores": (record.scores[0].model_copy(update={"value": 9.0}), worth)}), blobs)
    assert [(item.record.frame_id, item.value) for item in spool.list()] == [("f2", 2), ("f1", 0.5)]


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"quota_bytes": 0}, "quota_bytes must be 1 or more"), ({"min_free_bytes": -1}, "min_free_bytes must be 0 or")],
)
def test_limits_out_of_range_are_refused(limits: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SpoolLimits(**limits)
