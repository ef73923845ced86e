"""Frames that something outside asks for, with those before and after: they pay as others do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.device.policy import Candidate, PolicySettings
from edgeseg.device.policy.keeper import Seen, StreamKeeper
from edgeseg.device.policy.roll import Item
from edgeseg.device.spool import Spool

MakeDrive = Callable[..., list[Candidate]]
MakeItem = Callable[..., Item]
Drive = Callable[..., None]
SIZES = [2000 + 400 * (second % 4) for second in range(150)]
"""Bytes of each second's frame, half of them in each of two blobs."""
ADAPTER = """
class Braking:
    polled = closed = 0

    def poll(self):
        Braking.polled += 1
        return "hard braking" if Braking.polled == 5 else None

    def close(self):
        Braking.closed += 1
"""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def run(tmp_path: Path, spool: Spool, make_drive: MakeDrive, make_item: MakeItem) -> Drive:
    """Drives at a frame a second, of which some are asked for; ``after`` gets each, and the items that came in."""

    def drive(
        scores: Sequence[float], asked: set[int], after: Callable[[int, list[str]], object] = print, **options: Any
    ) -> None:
        trigger = tmp_path / "asking"
        rolls = {"pre_roll_s": 3.0, "post_roll_s": 2.0, "roll_every_s": 1.0, "triggers": (f"file:{trigger}",)}
        settings = PolicySettings(**{"rarity": 0.0, "duplicate_bits": -1, **rolls, **options})
        keeper = StreamKeeper(settings, spool, "stream")
        for candidate in make_drive(scores, sizes=SIZES[: len(scores)]):
            second = candidate.index
            if second in asked:
                trigger.write_text("asked")
            came = keeper.offer(Seen(candidate, lambda kept, i=second: make_item(i, SIZES[i] // 2)))  # type: ignore[misc]
            after(second, came)
        keeper.finish()
        keeper.close()

    return drive


def frames(spool: Spool) -> set[int]:
    return {item.record.frame_number for item in spool.list()}


@pytest.mark.parametrize("recall", [True, False])
@pytest.mark.parametrize("uploading", [True, False])
@pytest.mark.parametrize(("budget", "most"), [({"frames": "10/min"}, 10), ({"bytes": "25kb/min"}, 25_000)])
def test_budget_is_never_exceeded_whatever_is_asked_for(
    run: Drive, spool: Spool, budget: dict[str, str], most: int, uploading: bool, recall: bool
) -> None:
    """By the second in which each frame came into the spool, over every minute of the drive."""
    came_in: dict[str, int] = {}
    paid: dict[str, int] = {}

    def after(second: int, came: list[str]) -> None:
        came_in.update(dict.fromkeys(came, second))
        for item in spool.claim(9) if uploading else ():
            paid[item.id] = item.record.frame_number
            spool.mark_uploaded(item.id)

    asked = {20, 31, 32, 33, 60, 61, 80, 120}
    run(np.random.default_rng(1).random(130), asked, after, recall=recall, **budget)
    paid.update({item.id: item.record.frame_number for item in spool.list()})
    costs = [(came_in.get(i, 130), SIZES[number] if "bytes" in budget else 1) for i, number in paid.items()]
    spent = [sum(cost for second, cost in costs if start <= second < start + 60) for start in range(75)]
    assert 0.8 * most <= max(spent) <= most
    assert 20 in paid.values(), "the first one that was asked for found its room"


def test_newest_frames_before_come_first_and_others_are_told(run: Drive, spool: Spool, capsys: Any) -> None:
    run([0.0] * 8, {5}, frames="3/day", recall=False, pre_roll_s=4.0, post_roll_s=0.0)
    assert frames(spool) == {5, 4, 3}
    assert "the budget is spent: 2 frame(s) of the pre-roll are left out" in capsys.readouterr().err.replace("\n", " ")


def test_frames_after_end_where_the_budget_does_and_that_is_told(run: Drive, spool: Spool, capsys: Any) -> None:
    run([0.0] * 12, {4}, frames="4/day", pre_roll_s=0.0, post_roll_s=5.0, spacing_s=100.0)
    assert frames(spool) == {4, 5, 6, 7}
    assert "the post-roll ends before frame f8" in capsys.readouterr().err


def test_frame_that_is_asked_for_too_often_is_told(run: Drive, spool: Spool, capsys: Any) -> None:
    run([0.0] * 6, {1, 2, 3}, frames="2/day", pre_roll_s=0.0, post_roll_s=0.0)
    assert frames(spool) == {1, 2}
    assert "frame f3 is asked for (asked), but left out: the budget is spent" in capsys.readouterr().err


def test_frame_before_that_was_kept_already_is_not_paid_twice(run: Drive, spool: Spool) -> None:
    run([9.0, 9.0, 9.0, 0.0], {3}, frames="4/min", spacing_s=0.0)
    assert frames(spool) == {0, 1, 2, 3}


def test_users_own_trigger_keeps_a_frame(
    run: Drive, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_item: MakeItem
) -> None:
    folder = tmp_path / "own" / "fleet_adapters"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "can_bus.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    run([0.0] * 9, set(), triggers=("fleet_adapters.can_bus:Braking",), pre_roll_s=1.0, post_roll_s=2.0, frames="8/h")
    assert frames(spool) >= {3, 4, 5, 6}, "the fifth, one before it and two after"
    from fleet_adapters.can_bus import Braking  # type: ignore[import-not-found]

    assert (Braking.polled, Braking.closed) == (9, 1), "asked once a frame, and closed in the end"
