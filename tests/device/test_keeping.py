"""Keeping: the best N of a run, whatever their order."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg.device.keeping import Keeper
from edgeseg.device.spool import Spool
from edgeseg.records import Record

MakeItem = Callable[[int], tuple[Record, dict[str, bytes]]]


def _offer(keeper: Keeper, make_item: MakeItem, numbers: list[int]) -> None:
    for number in numbers:
        if keeper.wants(number):
            keeper.keep(*make_item(number))


def _scores(spool: Spool) -> list[float]:
    return [item.record.scores[0].value for item in spool.list()]


@pytest.mark.parametrize("seed", range(4))
def test_budget_keeps_the_highest_scores(tmp_path: Path, make_item: MakeItem, seed: int) -> None:
    numbers = random.Random(seed).sample(range(100), 30)
    with Spool(tmp_path / "s") as spool:
        keeper = Keeper(spool, 5)
        _offer(keeper, make_item, numbers)
        assert _scores(spool) == sorted(numbers, reverse=True)[:5]
        assert keeper.kept == 5


def test_without_a_budget_everything_is_kept(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s") as spool:
        keeper = Keeper(spool, None)
        _offer(keeper, make_item, [3, 1, 2])
        assert _scores(spool) == [3, 2, 1]
        assert (keeper.kept, keeper.policy) == (3, "all")


def test_frames_of_earlier_runs_are_not_taken_out(tmp_path: Path, make_item: MakeItem) -> None:
    with Spool(tmp_path / "s") as spool:
        _offer(Keeper(spool, None), make_item, [1, 2])
        keeper = Keeper(spool, 2)
        _offer(keeper, make_item, [1, 2, 5, 6])
        assert _scores(spool) == [6, 5, 2, 1]
        assert (keeper.kept, keeper.known) == (2, 0)


@pytest.mark.parametrize("keep", [True, False])
def test_what_an_upload_takes_counts(tmp_path: Path, make_item: MakeItem, keep: bool) -> None:
    with Spool(tmp_path / "s") as spool:
        keeper, sent = Keeper(spool, 4), set[float]()
        for number in range(20):
            _offer(keeper, make_item, [number])
            for item in spool.claim(number % 2):
                sent.add(item.record.scores[0].value)
                spool.mark_uploaded(item.id, keep)
        assert sent | set(_scores(spool)) == {1, 3, 5, 7}, "each sent at once; of those between, none could stay"
        assert keeper.kept == 4
        assert spool.info().uploaded == 4


def test_better_frame_is_in_before_the_lowest_leaves(
    tmp_path: Path, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(tmp_path / "s") as spool:
        keeper = Keeper(spool, 2)
        _offer(keeper, make_item, [1, 2])
        seen: list[int] = []
        remove = Spool.remove

        def watch(self: Spool, item_id: str) -> bool:
            seen.append(len(self.ids()))
            return remove(self, item_id)

        monkeypatch.setattr(Spool, "remove", watch)
        _offer(keeper, make_item, [3])
        assert seen == [3]
        assert len(spool.ids()) == 2
