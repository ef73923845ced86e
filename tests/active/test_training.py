"""Rounds' trainings that a launcher starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgeseg import active
from edgeseg.active import ActiveSettings
from edgeseg.active.start import Beginning
from edgeseg.active.world import open_world
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.nets.checkpoint import load_checkpoint

Make = Callable[..., ActiveSettings]


def test_trainings_run_in_the_processes_of_a_launcher(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    settings = make_settings("full")
    models = [
        Beginning(world, world.training()).model()
        for launcher, name in (((), "here"), ((sys.executable,), "there"))
        for world in [open_world(replace(settings, launcher=launcher), tmp_path / name, 0)]
    ]
    here, there = (load_checkpoint(model.checkpoint).net.state_dict() for model in models)
    assert all(torch.equal(here[key], there[key]) for key in here)


@pytest.mark.parametrize(
    ("launcher", "error", "message"),
    [
        (("no-such-launcher",), ConfigError, "launcher 'no-such-launcher' cannot be started"),
        (("false",), TrainingError, "'false' started ended with code 1; see its message above"),
    ],
)
def test_a_launcher_that_fails_is_told(
    make_settings: Make, tmp_path: Path, launcher: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        active.run(make_settings("full", launcher=launcher), tmp_path / "run")


def test_the_loop_itself_is_one_process(make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="run it without torchrun"):
        active.run(make_settings("full"), tmp_path / "run")
