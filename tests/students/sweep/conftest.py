from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgeseg import config
from edgeseg.students import TrainSettings
from edgeseg.students.sweep import SweepSettings

MakeSweep = Callable[..., SweepSettings]
RATE = {"low": 0.001, "high": 0.1, "log": True}


@pytest.fixture
def sweep_settings(train_settings: Callable[..., TrainSettings]) -> MakeSweep:
    """Makes settings of a sweep of two trials of a second; keyword arguments replace or add, also in base."""

    def make(base: dict[str, Any] | None = None, **changes: Any) -> SweepSettings:
        shared = config.to_plain(train_settings(epochs=1)) | {"val": None} | (base or {})
        plain = {"method": "train", "base": shared, "space": {"optimizer.learning_rate": RATE}, "trials": 2, **changes}
        return config.resolve(SweepSettings, None, (), plain)

    return make
