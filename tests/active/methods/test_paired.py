"""Pairs: the selection of one method with the training of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg.active import methods
from edgeseg.active.methods import MethodOptions
from edgeseg.errors import ConfigError
from tests.active.methods.begun import begin, settings_of


@pytest.mark.parametrize("trainer", ["equal", "s4al"])
def test_pair_trains_as_the_second_and_selects_as_the_first(tmp_path: Path, trainer: str) -> None:
    pair, state, _ = begin(tmp_path, f"random+{trainer}")
    second, first = (methods.build(name, MethodOptions(0.5)) for name in (trainer, "random"))
    plain = settings_of("random").trained(0, 4)
    assert pair.training(plain) == second.training(plain) != plain
    assert (pair.rest, pair.semi) == (second.rest, second.semi)
    mine, theirs = list(pair.select(state)), list(first.select(state))
    assert [(c.frame, c.pixels.tolist()) for c in mine] == [(c.frame, c.pixels.tolist()) for c in theirs]


def test_first_of_a_pair_must_not_need_a_training_of_its_own() -> None:
    pair = methods.build("deal+equal", MethodOptions())
    with pytest.raises(ConfigError, match=r"strategy deal\+equal: the first one selects by a loss of its own"):
        pair.training(settings_of("random").trained(0, 4))


def test_loss_of_the_run_and_of_the_strategy_are_one_too_many() -> None:
    plain = replace(settings_of("random").trained(0, 4), extra_loss="package.module:Loss")
    with pytest.raises(ConfigError, match=r"training\.extra_loss is package.module:Loss, but .* by DifficultyLoss"):
        methods.build("deal", MethodOptions()).training(plain)


def test_pair_with_an_unknown_part_is_refused() -> None:
    with pytest.raises(ConfigError, match="strategy 'equals' is unknown"):
        settings_of("random+equals")


def test_options_of_a_pair_are_those_of_its_second_part() -> None:
    methods.build("random+s4al", MethodOptions(own={"rows": 3}))
    with pytest.raises(ConfigError, match="region_score: no such option"):
        methods.build("random+s4al", MethodOptions(own={"region_score": "sum"}))


def test_pairs_are_listed_with_what_they_are_for() -> None:
    assert {"random+equal", "random+s4al"} <= set(methods.names())
    about = methods.about("random+equal")
    assert about.selects == methods.about("random").selects and about.costs == methods.about("equal").costs
    assert "equal's training" in about.use_when
