from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from edgeseg.errors import ConfigError
from edgeseg.students.sweep import SweepSettings, space

MakeSweep = Callable[..., SweepSettings]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {}}, "the space of the sweep is empty"),
        ({"space": {"learning_rate": [1]}}, "near ones: optimizer.learning_rate"),
        ({"space": {"optimizer.lerning_rate": [1]}}, "train has no setting 'optimizer.lerning_rate'; near ones: optim"),
        ({"space": {"kl_weight": [1]}}, "train has no setting 'kl_weight'"),
        ({"space": {"zzzzzzzz": [1]}}, "near ones: none"),
        ({"space": {"network_options.": [1]}}, "train has no setting 'network_options.'"),
        ({"space": {"seed": [1, 2]}}, "space.seed: seed cannot be searched, since every trial runs with all of seeds"),
        ({"space": {"val": ["a"]}}, "space.val: val cannot be searched, since trials on different data"),
        ({"space": {"epochs": []}}, "space.epochs: the list of values is empty"),
        ({"space": {"epochs": {"low": 1, "high": 2}}, "sampler": "grid"}, "space.epochs: a grid needs a list"),
        ({"space": {"epochs": [1, 0]}}, "epochs must be at least 1"),
        ({"space": {"loss.ohem": ["off", "on"]}}, "loss.ohem"),
        ({"space": {"ema_decay": {"low": 0.5, "high": 1.5}}}, "ema_decay must be at least 0"),
        ({"base": {"epohcs": 3}}, "epohcs"),
    ],
)
def test_space_that_cannot_be_used_is_named(sweep_settings: MakeSweep, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        space.require_usable(sweep_settings(**changes))


def test_every_kind_of_setting_can_be_searched(sweep_settings: MakeSweep) -> None:
    choices = {
        "optimizer.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "batch_size": {"low": 2, "high": 4, "integer": True},
        "augment.scale": [[0.75, 2.0], [1.0, 1.0]],
        "optimizer.kind": ["sgd", "adamw"],
        "network_options.width": [8, 16],
        "init": [None],
    }
    settings = sweep_settings(space=choices)
    space.require_usable(settings)
    found = [space.suggest(optuna.create_study().ask(), settings) for _ in range(30)]
    assert all(0.001 <= point["optimizer.learning_rate"] <= 0.1 for point in found)
    assert {point["batch_size"] for point in found} == {2, 3, 4}
    assert all(type(point["batch_size"]) is int for point in found)
    for name in ("augment.scale", "optimizer.kind", "network_options.width", "init"):
        assert all(point[name] in choices[name] for point in found)


def test_grid_is_every_combination_once(sweep_settings: MakeSweep) -> None:
    settings = sweep_settings(space={"epochs": [1, 2], "batch_size": [2, 3, 4, 4]}, sampler="grid", trials=100)
    points = [(int(point["epochs"]), int(point["batch_size"])) for point in space.grid(settings)]
    assert sorted(points) == sorted(itertools.product([1, 2], [2, 3, 4]))
    assert space.planned_trials(settings) == 6
    assert space.planned_trials(sweep_settings(space={"epochs": [1, 2]}, sampler="grid", trials=1)) == 1
