"""What an engine does: run the teachers over frames, wherever that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers.kept import KeptProbs
from edgeseg.teachers.teacher_set import MixedFrame


@dataclass(frozen=True)
class EngineSettings:
    """Where the teachers run; it makes no difference to what they say.

    Attributes:
        engine: ``local``, in this process, or ``ray``, on the workers of a Ray cluster.
        address: Of the Ray cluster, such as ``10.0.0.1:6379``. None takes ``RAY_ADDRESS``, else a cluster that
            runs on this machine, else starts one here for the time of the build.
    """

    engine: Literal["local", "ray"] = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.engine not in ("local", "ray"):
            raise ConfigError(f"--engine {self.engine}: is unknown; write local or ray")
        if self.address is not None and self.engine != "ray":
            raise ConfigError(f"--address {self.address}: names a Ray cluster; it goes with --engine ray")


class Engine(Protocol):
    """Runs a set of teachers over frames; a context manager. Frames come back in any order, each once."""

    def keep(self, kept: KeptProbs) -> None:
        """Lets probabilities wait between counting and mixing, where the engine can; otherwise teachers run twice."""

    def count(self, dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Index and confusion counts (M, C, C) of each labeled frame."""

    def mix(self, dataset: Dataset, indices: Sequence[int], info: CacheInfo) -> Iterator[tuple[int, MixedFrame]]:
        """Index and soft labels of each frame, mixed with the class weights of ``info``."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
