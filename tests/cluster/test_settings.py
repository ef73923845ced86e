from __future__ import annotations

import pytest

from edgeseg.cluster import EngineSettings
from edgeseg.errors import ConfigError


def test_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--engine spark: is unknown; write local or ray"):
        EngineSettings("spark")  # type: ignore[arg-type]


def test_address_without_a_cluster_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--address 10\.0\.0\.1:6379: names a Ray cluster; it goes with --engine"):
        EngineSettings("local", "10.0.0.1:6379")
