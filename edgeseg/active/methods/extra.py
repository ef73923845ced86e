"""Settings of a training that a method adds a loss of its own to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgeseg.errors import ConfigError
from edgeseg.students import ExtraLoss, TrainSettings


def with_loss(settings: TrainSettings, loss: type[ExtraLoss], **options: Any) -> TrainSettings:
    """Names a loss, and its options as plain data, in the settings of a training.

    Raises:
        ConfigError: The run has set a loss itself, which would be lost.
    """
    if settings.extra_loss is not None:
        raise ConfigError(
            f"training.extra_loss is {settings.extra_loss}, but the strategy trains by {loss.__name__}; leave the "
            "setting away, or run the strategies that have no loss of their own apart from this one"
        )
    return replace(settings, extra_loss=f"{loss.__module__}:{loss.__name__}", extra_options=options)
