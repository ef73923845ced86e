"""Budgets, prices, sample, account, hashes and traces, each against something independent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from edgeseg.device.crops import blank_outside, crop_mask
from edgeseg.device.policy import Budget, Candidate, PolicySettings
from edgeseg.device.policy.account import Account
from edgeseg.device.policy.novelty import KeptHashes, differing_bits
from edgeseg.device.policy.prices import best_form, prices
from edgeseg.device.policy.rarity import Rarity
from edgeseg.device.policy.sample import StreamSample
from edgeseg.device.policy.trace import TraceWriter, read_trace
from edgeseg.errors import ConfigError, DataError, OutputError

MakeDrive = Callable[..., list[Candidate]]


@pytest.mark.parametrize(
    ("text", "amount", "period_s"),
    [("200/h", 200, 3600), ("500MB/day", 5e8, 86400), ("1.5 GiB / day", 1.5 * 2**30, 86400), ("3/min", 3, 60)],
)
def test_budget_is_read(text: str, amount: float, period_s: float) -> None:
    assert Budget.parse(text, "--budget-x") == Budget(amount, period_s)


@pytest.mark.parametrize("text", ["200", "200/week", "MB/h", "5 parsec/h", "-3/h", ""])
def test_budget_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget-x .*such as 200/h or 500MB/day"):
        Budget.parse(text, "--budget-x")


def test_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Budget.parse("0/h", "--budget-x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": "many"}, "budget-frames 'many'"),
        ({"active_share": 0.0}, "active_share must be above 0"),
        ({"spacing_s": -1.0}, "spacing_s must be 0 or more"),
        ({"duplicate_bits": 64}, "duplicate_bits must be -1"),
        ({"forms": ()}, "forms must name some of full, crops, map"),
        ({"map_worth": 0.0}, "map_worth must be above 0"),
        ({"sample_size": 1}, "sample_size 16 or more"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PolicySettings(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_price_of_one_budget_is_a_quantile(seed: int) -> None:
    worth = np.random.default_rng(seed).random((500, 1))
    (price,) = prices(worth, np.ones((500, 1, 1)), np.array([0.1]))
    assert (worth > price).sum() == 50


@pytest.mark.parametrize("seed", range(4))
def test_prices_solve_the_fractional_knapsack(seed: int) -> None:
    """Against the linear programme: maximize worth under both budgets, at most one form of each candidate."""
    chance = np.random.default_rng(seed)
    worth, costs = chance.random((120, 2)), chance.random((120, 2, 2)) + 0.1
    targets = np.array([0.15, 0.1])
    found = prices(worth, costs, targets)
    exact = linprog(
        -worth.ravel(),
        A_ub=np.vstack((np.kron(np.eye(120), np.ones(2)), costs.reshape(-1, 2).T)),
        b_ub=np.concatenate((np.ones(120), targets * 120)),
        bounds=(0, 1),
    )
    dual = (targets * 120) @ found + np.maximum(best_form(worth, costs, found)[1], 0).sum()
    assert dual == pytest.approx(-exact.fun, rel=0.02), "weak duality: never below, and close where prices are right"
    assert dual >= -exact.fun - 1e-9


def test_budget_that_does_not_bind_has_no_price() -> None:
    assert prices(np.ones((10, 1)), np.ones((10, 1, 1)), np.array([2.0])).tolist() == [0.0]
    assert prices(np.zeros((0, 1)), np.zeros((0, 1, 1)), np.array([2.0])).tolist() == [0.0]


def test_sample_forgets_what_is_long_past() -> None:
    sample = StreamSample(64, 500.0, 1, 1)
    for second in range(5000):
        sample.add(np.array([float(second)]), np.ones((1, 1)), 1.0)
    assert sample.rate_hz == pytest.approx(1.0)
    age = 4999 - sample.worth[:, 0]
    assert 250 < age.mean() < 1000, "a mean age of 500 s"
    again = StreamSample(64, 500.0, 1, 1)
    again.restore(json.loads(json.dumps(sample.to_dict())))
    np.testing.assert_allclose(again.worth, sample.worth)
    assert again.rate_hz == sample.rate_hz
    with pytest.raises(ValueError, match="sample of shapes"):
        StreamSample(64, 500.0, 2, 1).restore(sample.to_dict())


def test_account_counts_a_rolling_period() -> None:
    account = Account(Budget(10, 64.0), 1.0)
    for second in range(10):
        account.advance(float(second))
        account.spend(1.0)
    assert account.left == 0
    account.advance(64.0)
    assert account.left == 0, "the oldest step counts until all of it is past"
    account.advance(66.0)
    assert account.left == 2
    account.refund(1.0, 9.0)
    assert account.left == 3


def test_account_catches_up_and_slows_down() -> None:
    account = Account(Budget(3600, 3600.0), 0.5)
    account.advance(0.0)
    assert account.target_per_s() == pytest.approx(2.0), "half of the time must do for all"
    account.advance(100.0)
    assert account.target_per_s() > 2
    for _ in range(400):
        account.spend(1.0)
    assert account.target_per_s() < 2


def test_account_tends_to_a_lead_and_remembers_what_is_typical() -> None:
    account = Account(Budget(360, 3600.0), 1.0)
    account.advance(0.0)
    account.spend(1.0)
    even = 0.1
    assert account.target_per_s() > even, "one frame ahead is less than the lead"
    for _ in range(3):
        account.spend(1.0)
    assert account.target_per_s() == pytest.approx(even), "four are the lead"
    account.spend(1.0)
    assert account.target_per_s() < even
    again = Account(Budget(360, 3600.0), 1.0)
    again.restore(account.to_dict(), 0.0, 0.0)
    assert again.target_per_s() == pytest.approx(account.target_per_s())


def test_hashes_are_compared_bit_by_bit() -> None:
    chance = np.random.default_rng(0)
    known = [int(h) for h in chance.integers(0, 2**63, 50)]
    hashes = KeptHashes(40, 3)
    for image_hash in known:
        hashes.add(image_hash)
    assert not hashes.has_like(known[0]), "the oldest gave way"
    assert hashes.has_like(known[-1] ^ 0b10101)
    assert not hashes.has_like(known[-1] ^ 0b1010101)
    assert differing_bits(0b1011, 0b0001) == 2
    assert not KeptHashes(40, -1).has_like(0)
    assert len(hashes.to_list()) == 40


def test_rarity_counts_in_how_many_frames_a_class_was() -> None:
    rarity = Rarity(0.5)
    assert rarity.boost({"person": 1.0}) == 1.0
    for number in range(100):
        rarity.add({"road": 0.9, "person": 0.1 if number < 10 else 0.0})
    assert rarity.boost({"road": 0.9}) == pytest.approx(1.0)
    assert rarity.boost({"person": 0.1, "road": 0.9}) == pytest.approx(1.45)
    assert rarity.boost({"person": 0.001}) == 1.0, "too small to be there"
    assert rarity.boost({"tram": 0.1}) == pytest.approx(1.5)
    again = Rarity(0.5)
    again.restore(json.loads(json.dumps(rarity.to_dict())))
    assert again.boost({"person": 0.1}) == rarity.boost({"person": 0.1})


def test_crops_reach_as_far_as_the_context_and_keep_the_geometry() -> None:
    labels = np.full((40, 60), -1, np.int32)
    labels[10:14, 20:25] = 0
    labels[30:33, 50:53] = 1
    mask = crop_mask(labels, np.array([0]), context_px=3)
    expected = np.zeros((40, 60), bool)
    expected[7:17, 17:28] = True
    np.testing.assert_array_equal(mask, expected)
    image = np.random.default_rng(0).integers(1, 255, (40, 60, 3)).astype(np.uint8)
    cut = blank_outside(image, mask)
    np.testing.assert_array_equal(cut[mask], image[mask])
    assert not cut[~mask].any()


def test_trace_comes_back_as_it_was_written(tmp_path: Path, make_drive: MakeDrive) -> None:
    drive = make_drive([1, 2.5, 0.1], classes=[{"road": 0.75, "sky": 0.25}] * 3)
    path = tmp_path / "t.jsonl"
    writer = TraceWriter(path)
    for candidate in drive:
        writer.add(candidate)
    writer.close()
    assert read_trace(path) == drive
    path.write_text(path.read_text() + '{"frame": "half a li')
    assert read_trace(path) == drive, "a recording that was killed ends in half a line"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as a trace"),
        ("", "holds no frame"),
        ("{}\n", "line 1: is no frame of a trace"),
        ('{"frame": "a"}\nx\n', "line 1"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "t").write_text(content)
    with pytest.raises(DataError, match=message):
        read_trace(tmp_path / "t")


def test_trace_of_two_drives_and_place_that_cannot_be_written_are_refused(
    tmp_path: Path, make_drive: MakeDrive
) -> None:
    writer = TraceWriter(tmp_path / "t")
    for candidate in [*make_drive([1, 2]), *make_drive([1, 2])]:
        writer.add(candidate)
    writer.close()
    with pytest.raises(DataError, match="its times do not rise"):
        read_trace(tmp_path / "t")
    with pytest.raises(OutputError, match="cannot write"):
        TraceWriter(tmp_path / "t" / "below")
