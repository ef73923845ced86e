"""The policy on drives of which one can say what should be kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from edgeseg.device.policy import Candidate, Decision, Policy, PolicySettings

MakeDrive = Callable[..., list[Candidate]]


def _run(policy: Policy, drive: list[Candidate]) -> dict[str, Decision]:
    decisions = [d for candidate in drive for d in policy.offer(candidate)] + policy.finish()
    return {decision.candidate.frame: decision for decision in decisions}


def _kept(settings: PolicySettings, drive: list[Candidate]) -> list[int]:
    return sorted(d.candidate.index for d in _run(Policy(settings), drive).values() if d.kept)


def _plain(**options: object) -> PolicySettings:
    return PolicySettings(**{"rarity": 0.0, "duplicate_bits": -1, **options})  # type: ignore[arg-type]


def test_without_budgets_everything_is_kept(make_drive: MakeDrive) -> None:
    assert _kept(_plain(), make_drive([3, 1, 0])) == [0, 1, 2]
    assert _kept(_plain(recall=False), make_drive([3, 1, 0])) == [0, 1, 2]


def test_every_frame_is_decided_on_once_in_the_end(make_drive: MakeDrive) -> None:
    drive = make_drive(np.random.default_rng(0).random(300), gap_s=0.2)
    for recall in (True, False):
        assert set(_run(Policy(_plain(frames="200/h", recall=recall)), drive)) == {c.frame for c in drive}


@pytest.mark.parametrize("seed", range(5))
def test_revocable_choice_keeps_the_highest_scores_of_a_drive(make_drive: MakeDrive, seed: int) -> None:
    scores = np.random.default_rng(seed).random(400)
    kept = _kept(_plain(frames="360/h"), make_drive(scores))
    best = np.argsort(-scores)[: len(kept)].tolist()
    assert 39 <= len(kept) <= 41, "a tenth of 400 seconds"
    assert len(set(kept) & set(best)) >= len(kept) - 3


@pytest.mark.parametrize("seed", range(3))
def test_final_choice_keeps_the_budgets_share_of_the_highest(make_drive: MakeDrive, seed: int) -> None:
    scores = np.random.default_rng(seed).random(1800)
    kept = _kept(_plain(frames="180/h", recall=False), make_drive(scores))
    assert 75 <= len(kept) <= 95
    assert scores[kept].mean() > 0.9, "the highest twentieth has a mean of 0.975"


@pytest.mark.parametrize("seed", range(3))
def test_final_choice_leaves_nothing_of_a_short_drives_share(make_drive: MakeDrive, seed: int) -> None:
    scores = np.random.default_rng(seed).random(100)
    kept = _kept(_plain(frames="360/h", recall=False), make_drive(scores))
    assert 10 <= len(kept) <= 10 + 7, "the even pace's ten, and the lead with what it varies by"


def test_threshold_follows_the_stream(make_drive: MakeDrive) -> None:
    chance = np.random.default_rng(0)
    scores = np.concatenate((chance.random(900), 10 + chance.random(900), chance.random(1800)))
    kept = np.array(_kept(_plain(frames="360/h", recall=False, memory_s=300.0), make_drive(scores)))
    assert ((kept >= 2250) & (kept < 3600)).sum() > 50, "after the flood of high scores low ones are kept again"


@pytest.mark.parametrize("recall", [True, False])
def test_no_period_ever_holds_more_than_its_budget(make_drive: MakeDrive, recall: bool) -> None:
    scores = np.linspace(0, 1, 2000) ** 4
    kept = np.array(_kept(_plain(frames="30/min", recall=recall), make_drive(scores)))
    assert max(((kept >= start) & (kept < start + 60)).sum() for start in range(1940)) <= 30


def test_bytes_and_regions_are_budgets_too(make_drive: MakeDrive) -> None:
    chance = np.random.default_rng(0)
    drive = make_drive(chance.random(1000), sizes=(1e5 * (1 + chance.random(1000))).tolist())
    decided = _run(Policy(_plain(frames="1800/h", bytes="36MB/h", regions="1800/h")), drive)
    kept = [decision for decision in decided.values() if decision.kept]
    assert sum(d.candidate.offers[0].bytes for d in kept) <= 1e7 + 2e5
    assert len(kept) <= 51
    assert len(kept) * 10 <= 510


def test_form_serves_the_budget(make_drive: MakeDrive) -> None:
    drive = make_drive(np.random.default_rng(0).random(600), sizes=[1e6] * 600)
    forms = ("full", "crops", "map")
    rich = _run(Policy(_plain(bytes="100GB/h", forms=forms)), drive).values()
    poor = _run(Policy(_plain(bytes="60MB/h", forms=forms)), drive).values()
    assert {d.form for d in rich if d.kept} == {"full"}
    assert "full" not in {d.form for d in poor if d.kept and d.candidate.index > 30}
    assert sum(d.worth for d in poor) > 0


def test_of_frames_within_a_spacing_the_best_is_kept(make_drive: MakeDrive) -> None:
    drive = make_drive([1, 5, 2, 1, 1, 1, 7, 3, 2], gap_s=0.3)
    kept = _kept(_plain(spacing_s=1.0), drive)
    assert kept == [1, 6]
    drive = make_drive(np.random.default_rng(0).random(200), 0.3)
    times = [drive[i].time_s for i in _kept(_plain(spacing_s=2.0), drive)]
    assert min(np.diff(times)) >= 2.0


def test_near_duplicates_are_kept_once_over_drives_too(make_drive: MakeDrive) -> None:
    first = make_drive([3, 4, 5], hashes=[0b1, 0b11, 0b1 << 40])
    settings = PolicySettings(frames="3600/h", rarity=0.0, duplicate_bits=1)
    policy = Policy(settings)
    assert sorted(d.candidate.index for d in _run(policy, first).values() if d.kept) == [1, 2], (
        "the better of two alike"
    )
    later = Policy(settings)
    later.restore(json.loads(json.dumps(policy.to_dict())), same_stream=True)
    decided = _run(later, make_drive([9, 9], hashes=[0b111, 0xFF << 20]))
    assert [d.reason for d in decided.values()] == ["duplicate", "kept"]


def test_rare_class_raises_a_frames_worth(make_drive: MakeDrive) -> None:
    classes = [{"road": 0.99, "person": 0.01 if i % 50 == 7 else 0.0} for i in range(400)]
    drive = make_drive(np.random.default_rng(0).random(400) * 0.1 + 1, classes=classes)
    rare = set(range(7, 400, 50))
    assert len(rare & set(_kept(_plain(frames="180/h"), drive))) <= 4
    assert len(rare & set(_kept(_plain(frames="180/h", rarity=0.5), drive))) >= 7


def test_state_survives_a_restart(make_drive: MakeDrive) -> None:
    settings = _plain(frames="360/h", recall=False)
    scores = np.random.default_rng(0).random(1200)
    policy = Policy(settings)
    _run(policy, make_drive(scores[:600]))
    warm, cold = Policy(settings), Policy(settings)
    warm.restore(json.loads(json.dumps(policy.to_dict())), same_stream=True, away_s=60.0)
    drive = make_drive(scores[600:640])
    first_warm = [d.candidate.index for d in _run(warm, drive).values() if d.kept]
    first_cold = [d.candidate.index for d in _run(cold, drive).values() if d.kept]
    assert 0 in first_cold, "who knows nothing keeps the first frame"
    assert 0 not in first_warm
    assert np.mean([drive[i].score for i in first_warm]) > 0.8


@pytest.mark.parametrize("away_s", [0.0, 10.0])
def test_restart_does_not_renew_a_spent_budget(make_drive: MakeDrive, away_s: float) -> None:
    settings = _plain(frames="10/h", recall=False)
    policy = Policy(settings)
    drive = make_drive([10.0] * 9)
    for candidate in drive:
        policy.keep(candidate)
    later = Policy(settings)
    later.restore(json.loads(json.dumps(policy.to_dict())), same_stream=True, away_s=away_s)
    kept = [d for d in _run(later, make_drive(np.arange(50.0) + 20)).values() if d.kept]
    assert len(kept) <= 1
    free = Policy(settings)
    free.restore(json.loads(json.dumps(policy.to_dict())), same_stream=True, away_s=7200.0)
    assert any(d.kept for d in _run(free, make_drive(np.arange(50.0) + 20)).values())


def test_clock_that_goes_backward_stands_still(make_drive: MakeDrive) -> None:
    policy = Policy(_plain(frames="20/h", recall=False, spacing_s=0.0))
    drive = make_drive(np.random.default_rng(0).random(500))
    back = [Candidate(c.frame, c.index, c.time_s % 100, c.score, c.image_hash, c.classes, c.offers) for c in drive]
    kept = [d for c in back for d in policy.offer(c) if d.kept]
    assert len(kept) <= 20


def test_what_is_asked_for_from_outside_is_kept_and_paid_for(make_drive: MakeDrive) -> None:
    policy = Policy(_plain(frames="2/h", recall=False))
    drive = make_drive([0.0, 0.0, 5.0, 6.0])
    assert [policy.keep(candidate)[-1].reason for candidate in drive[:2]] == ["triggered", "triggered"]
    assert {d.reason for d in _run(policy, drive[2:]).values()} <= {"budget spent", "below the price"}
    assert [decision.reason for decision in policy.keep(drive[3])] == ["budget spent"]


def test_what_is_asked_for_takes_the_place_of_the_least(make_drive: MakeDrive) -> None:
    policy = Policy(_plain(frames="3/h", spacing_s=0.0))
    *drive, asked = make_drive([5.0, 3.0, 4.0, 0.0])
    for candidate in drive:
        policy.offer(candidate)
    assert [(d.candidate.frame, d.reason) for d in policy.keep(asked)] == [("f1", "displaced"), ("f3", "triggered")]


@pytest.mark.parametrize("recall", [True, False])
def test_room_is_left_for_what_may_be_asked_for(make_drive: MakeDrive, recall: bool) -> None:
    options = {"triggers": ("file:x",), "pre_roll_s": 2.0, "post_roll_s": 1.0, "roll_every_s": 1.0}
    drive = make_drive(np.random.default_rng(0).random(3600))
    for policy, most in ((_plain(frames="40/h", recall=recall, **options), 36), (_plain(frames="40/h"), 40)):
        assert most - 2 <= len(_kept(policy, drive)) <= most
    small = _plain(frames="6/h", recall=recall, **options)
    assert len(_kept(small, drive)) == 3, "half of the budget at most"


def test_settled_frame_is_not_displaced(make_drive: MakeDrive) -> None:
    settings = _plain(frames="60/h")
    drive = make_drive(np.linspace(1, 2, 300), gap_s=1.0)
    policy = Policy(settings)
    decisions: dict[str, Decision] = {}
    for candidate in drive:
        for decision in policy.offer(candidate):
            decisions[decision.candidate.frame] = decision
            if decision.kept and len(decisions) < 3:
                policy.settle(decision.candidate.frame)
    decisions.update({d.candidate.frame: d for d in policy.finish()})
    assert decisions["f0"].kept
    assert 4 <= sum(d.kept for d in decisions.values()) <= 6
