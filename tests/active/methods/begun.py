"""A loop that has trained its first model, so that a method can be asked to select."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgeseg.active import ActiveSettings, methods
from edgeseg.active.answers import Answers
from edgeseg.active.methods import Method, MethodOptions, Round
from edgeseg.active.running import open_runner
from edgeseg.active.start import Beginning
from edgeseg.active.world import World, open_world
from edgeseg.nets.base import SegmentationNet

NETWORK = "tests.active.methods.begun:TinyNet"


class TinyNet(SegmentationNet):
    """A network that trains in milliseconds and does not say the same of an image and of its mirror image."""

    stride = 2

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Conv2d(8, num_classes, 1)

    def outputs(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """See ``SegmentationNet.outputs``."""
        logits: torch.Tensor = self.classifier(self.body(images))
        return (self.resize(logits, (images.shape[2], images.shape[3])),)


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
    own = {"network": NETWORK, "batch_size": 2, "workers": 0, "precision": "fp32", "threads": 1}
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
        runner=open_runner(model.checkpoint, method.needs, 1),
        training=training,
        committee=(),
        prepared=out,
        folder=out,
    )
    return method, state, world
