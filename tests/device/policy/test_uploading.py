"""Frames that are uploaded while the drive goes on: what is on its way, or gone, can give way no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.policy import Candidate, PolicySettings
from edgeseg.device.policy.keeper import Seen, StreamKeeper
from edgeseg.device.policy.roll import Item
from edgeseg.device.spool import Spool, SpoolItem

MakeDrive = Callable[..., list[Candidate]]
MakeItem = Callable[[int], Item]
Upload = Callable[[Spool, int], list[SpoolItem]]
"""Takes what it wants of a spool in a second of the drive."""
PERIOD_S, BUDGET = 60, 20
SCORES = {"rising": np.arange(1.0, 131), "soaring": 1.2 ** np.arange(130)}


def done(spool: Spool, most: int, keep: bool = False) -> list[SpoolItem]:
    items = spool.claim(most)
    for item in items:
        spool.mark_uploaded(item.id, keep)
    return items


UPLOADS: dict[str, Upload] = {
    "at once": lambda spool, second: done(spool, 9),
    "at once, files stay": lambda spool, second: done(spool, 9, keep=True),
    "one in three": lambda spool, second: done(spool, int(second % 3 == 0)),
    "for ever on its way": lambda spool, second: spool.claim(9),
}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as opened:
        yield opened


def seen(candidate: Candidate, make_item: MakeItem) -> Seen:
    return Seen(candidate, lambda kept: make_item(candidate.index))


def seconds(items: Sequence[SpoolItem]) -> set[int]:
    return {item.record.frame_number for item in items}


def most_in_a_period(kept: set[int]) -> int:
    return max((sum(start <= second < start + PERIOD_S for second in kept) for start in kept), default=0)


@pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)
@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_budget_holds_while_an_upload_takes_frames_away(
    spool: Spool, make_drive: MakeDrive, make_item: MakeItem, scores: NDArray[np.float64], upload: Upload
) -> None:
    settings = PolicySettings(frames=f"{BUDGET}/min", rarity=0.0, duplicate_bits=-1)
    keeper = StreamKeeper(settings, spool, "stream")
    taken: set[int] = set()
    for candidate in make_drive(scores):
        keeper.offer(seen(candidate, make_item))
        taken |= seconds(upload(spool, candidate.index))
    keeper.finish()
    keeper.close()
    assert BUDGET - 2 <= most_in_a_period(taken | seconds(spool.list())) <= BUDGET


def test_without_an_upload_the_best_of_each_period_are_kept(
    spool: Spool, make_drive: MakeDrive, make_item: MakeItem
) -> None:
    settings = PolicySettings(frames=f"{BUDGET}/min", rarity=0.0, duplicate_bits=-1)
    keeper = StreamKeeper(settings, spool, "stream")
    for candidate in make_drive(np.arange(1.0, 61)):
        keeper.offer(seen(candidate, make_item))
    keeper.finish()
    keeper.close()
    kept = sorted(item.record.frame_number for item in spool.list())
    assert kept == list(range(60 - len(kept), 60)) and BUDGET - 1 <= len(kept) <= BUDGET


def test_upload_that_comes_between_choice_and_removal_costs_no_other_frame(
    spool: Spool, make_drive: MakeDrive, make_item: MakeItem
) -> None:
    """A frame that is worth more than two kept ones, one of which is on its way: the other one stays too."""
    settings = PolicySettings(bytes="2000/day", rarity=0.0, duplicate_bits=-1)
    keeper = StreamKeeper(settings, spool, "stream")
    drive = make_drive([1.0, 2.0, 5.0, 1.0], sizes=[1000, 1000, 2000, 1])
    for candidate in drive[:3]:
        keeper.offer(seen(candidate, make_item))
    assert spool.claim_item(make_item(0)[0].item_id) is not None
    assert keeper.offer(seen(drive[3], make_item)) == []
    assert seconds(spool.list()) == {0, 1}
    keeper.close()
