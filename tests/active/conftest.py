from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgeseg.active import ActiveSettings
from tests.active import tiny


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., ActiveSettings]:
    """Settings of a loop of a second or two: 2 frames of P, 5 of Q, one round of 2; arguments replace or add."""

    def make(*strategies: str, training: dict[str, Any] | None = None, **changes: Any) -> ActiveSettings:
        plain: dict[str, Any] = {
            "data": "synthetic:7",
            "val": "synthetic:2",
            "strategies": strategies,
            "initial": 2,
            "rounds": 1,
            "group": 2,
            "epochs": 1,
            "superpixel_px": 400,
        }
        own = {"network": tiny.NAME, "height": 32, "width": 48, "batch_size": 2, "workers": 0, "precision": "fp32"}
        return ActiveSettings(training={**own, **(training or {})}, **(plain | changes))

    return make
