from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from edgeseg import config
from edgeseg.errors import ConfigError
from edgeseg.students.sweep import Range, SweepSettings

MakeSweep = Callable[..., SweepSettings]


def test_settings_survive_the_way_through_plain_data(sweep_settings: MakeSweep) -> None:
    settings = sweep_settings(space={"batch_size": [2, 3], "ema_decay": {"low": 0.5, "high": 0.9}}, seeds=[1, 2])
    assert config.resolve(SweepSettings, None, (), config.to_plain(settings)) == settings
    assert settings.space["ema_decay"] == Range(0.5, 0.9)


def test_trial_is_base_and_parameters_and_seed(sweep_settings: MakeSweep) -> None:
    settings = sweep_settings(base={"optimizer": {"kind": "sgd"}})
    trial = settings.of_trial({"optimizer.learning_rate": 0.5}, 7)
    assert (trial.optimizer.kind, trial.optimizer.learning_rate, trial.seed) == ("sgd", 0.5, 7)
    assert settings.of_trial({}, 7).optimizer.learning_rate != 0.5  # the base is not touched


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "trials must be at least 1"),
        ({"seeds": []}, "seeds must be one or more different numbers, got []"),
        ({"seeds": [1, 1]}, "seeds must be one or more different numbers, got [1, 1]"),
        ({"sampler": "best"}, "sampler"),
        ({"space": {"epochs": {"low": 3, "high": 3}}}, "must rise from low to high, got 3 to 3"),
        ({"space": {"epochs": {"low": 0, "high": 3, "log": True}}}, "with log must begin above 0, got 0"),
        ({"space": {"epochs": {"low": 1.5, "high": 3, "integer": True}}}, "must have whole bounds, got 1.5 to 3"),
        ({"space": {"epochs": {"from": 1, "to": 2}}}, "space.epochs"),
        ({"pruner": "none"}, "pruner"),
    ],
)
def test_bad_setting_is_named(sweep_settings: MakeSweep, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        sweep_settings(**changes)
