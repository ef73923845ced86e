"""Where work is done: in this process, or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseg.errors import ConfigError


@dataclass(frozen=True)
class EngineSettings:
    """Where networks run; it makes no difference to what they say.

    Attributes:
        engine: ``local``, in this process, or ``ray``, on the workers of a Ray cluster.
        address: Of the Ray cluster, such as ``10.0.0.1:6379``. None takes ``RAY_ADDRESS``, else a cluster that
            runs on this machine, else starts one here for as long as it is needed.
    """

    engine: Literal["local", "ray"] = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.engine not in ("local", "ray"):
            raise ConfigError(f"--engine {self.engine}: is unknown; write local or ray")
        if self.address is not None and self.engine != "ray":
            raise ConfigError(f"--address {self.address}: names a Ray cluster; it goes with --engine ray")
