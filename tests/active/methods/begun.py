"""A loop that has trained its first model, so that a method can be asked to select."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.active import ActiveSettings, methods
from edgeseg.active.answers import Answers
from edgeseg.active.methods import Method, MethodOptions, Round
from edgeseg.active.running import open_runner
from edgeseg.active.start import Beginning
from edgeseg.active.world import World, open_world
from tests.active import tiny


def settings_of(*strategies: str, training: dict[str, Any] | None = None, **changes: Any) -> ActiveSettings:
    """Settings of a loop of a second or two: 3 frames of P, 6 of Q; keyword arguments replace or add."""
    plain: dict[str, Any] = {
        "data": "synthetic:9x48x64",
        "val": "synthetic:2x48x64",
        "strategies": strategies,
        "initial": 3,
        "rounds": 1,
        "group": 2,
        "share": 0.5,
        "epochs": 2,
    }
    own = {"network": tiny.NAME, "batch_size": 2, "workers": 0, "precision": "fp32", "threads": 1}
    return ActiveSettings(training={**own, **(training or {})}, **(plain | changes))


def begin(
    out: Path, strategy: str, answers: Answers | None = None, own: dict[str, Any] | None = None, **changes: Any
) -> tuple[Method, Round, World]:
    """Trains the first model of a strategy; what it selects with in round 1, after some answers."""
    world = open_world(settings_of(strategy, **changes), out, 0)
    method = methods.build(strategy, MethodOptions(world.settings.share, own=own or {}))
    training = world.training(method)
    model = Beginning(world, training).model()
    answers = answers or Answers()
    state = Round(
        number=1,
        pool=world.pool(answers),
        labeled=world.known(answers),
        budget=world.budget,
        group=world.group,
        checkpoint=model.checkpoint,
        extra_weights=model.extra_weights,
        runner=open_runner(model.checkpoint, method.needs, None),  # its threads would outlast the test
        training=training,
        committee=(),
        prepared=out,
        folder=out,
    )
    return method, state, world
