"""Replay: hindsight against brute force, regret between 0 and 1, and the page."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeseg.device.policy import Candidate, PolicySettings
from edgeseg.device.policy.hindsight import Drive
from edgeseg.device.policy.replay import replay
from edgeseg.device.policy.timeline import replay_page
from edgeseg.errors import ConfigError
from edgeseg.report.page import write_page

MakeDrive = Callable[..., list[Candidate]]


@pytest.mark.parametrize("seed", range(3))
def test_best_choice_of_frames_is_the_optimum(make_drive: MakeDrive, seed: int) -> None:
    worth = np.random.default_rng(seed).random(10)
    settings = PolicySettings(frames="1/h", spacing_s=0.0, duplicate_bits=-1)
    drive = Drive(make_drive(worth), worth, settings, {"frames": 3.0})
    exact = max(sum(worth[list(some)]) for some in itertools.combinations(range(10), 3))
    assert drive.total(drive.best()) == pytest.approx(exact)


@pytest.mark.parametrize("seed", range(3))
def test_best_choice_under_bytes_is_near_the_optimum(make_drive: MakeDrive, seed: int) -> None:
    chance = np.random.default_rng(seed)
    worth, sizes = chance.random(12), (chance.random(12) * 100 + 20)
    settings = PolicySettings(bytes="1/h", spacing_s=0.0, duplicate_bits=-1)
    drive = Drive(make_drive(worth, sizes=sizes.tolist()), worth, settings, {"bytes": 250.0})
    exact = max(
        sum(worth[list(some)])
        for count in range(13)
        for some in itertools.combinations(range(12), count)
        if sum(sizes[list(some)]) <= 250
    )
    assert 0.85 * exact <= drive.total(drive.best()) <= exact + 1e-9


def test_hindsight_is_bound_by_spacing_and_duplicates(make_drive: MakeDrive) -> None:
    worth = np.array([1.0, 5.0, 4.0, 3.0, 2.0])
    settings = PolicySettings(frames="1/h", spacing_s=2.0, duplicate_bits=0)
    drive = Drive(make_drive(worth, hashes=[1, 2, 3, 2, 5]), worth, settings, {"frames": 5.0})
    assert sorted(drive.best()) == [1, 4]
    assert len(drive.random(0)) <= 3


def test_regret_of_a_known_drive(make_drive: MakeDrive) -> None:
    scores = np.random.default_rng(0).random(600)
    settings = PolicySettings(frames="360/h", rarity=0.0, duplicate_bits=-1)
    report = replay(make_drive(scores), settings).report
    assert report.allowed["frames"] == pytest.approx(60)
    assert 59 <= report.kept <= 61
    assert report.best == pytest.approx(np.sort(scores)[-report.kept :].sum(), rel=0.02)
    assert report.random == pytest.approx(scores.mean() * report.kept, rel=0.1)
    assert report.regret is not None
    assert -0.01 <= report.regret < 0.1
    assert sum(report.reasons.values()) == report.frames == 600


def test_who_spends_more_is_held_against_a_hindsight_that_does(make_drive: MakeDrive) -> None:
    settings = PolicySettings(frames="3600/h", recall=False, rarity=0.0, duplicate_bits=-1)
    report = replay(make_drive([1.0, 2.0]), settings).report
    assert report.best >= report.worth


def test_policy_without_a_budget_has_nothing_to_choose(make_drive: MakeDrive) -> None:
    with pytest.raises(ConfigError, match="a policy without a budget keeps every frame"):
        replay(make_drive([1.0]), PolicySettings())


def test_page_shows_the_timeline(tmp_path: Path, make_drive: MakeDrive) -> None:
    drive = make_drive(np.random.default_rng(0).random(120))
    found = replay(drive, PolicySettings(frames="360/h"))
    write_page(replay_page("Replay of a drive", drive, found), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert text.count("<svg") == 2
    assert f"kept ({found.report.kept})" in text
    assert "best in hindsight" in text
    assert f"{found.report.kept} of 120 frames kept" in text
