"""Frames of Q scored on the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from edgeseg.active.scoring.worker import RoundModel, ScoreWorker
from edgeseg.cluster import EngineSettings
from edgeseg.cluster.connection import connect
from edgeseg.cluster.pool import Pool
from edgeseg.device.strategies import StrategyOptions


@contextmanager
def connected(engine: EngineSettings) -> Iterator[None]:
    """Holds a connection to the cluster, where one is asked for, so that rounds need not make their own.

    Raises:
        ClusterError: No cluster answers, or it has no worker.
        MissingDependencyError: Ray is not installed.
    """
    if engine.engine == "local":
        yield
        return
    with closing(connect(engine.address)):
        yield


@dataclass(frozen=True)
class RemoteScores:
    """A round's model on a cluster.

    Attributes:
        model: The model and its frames.
        names: Id of each frame of Q, for messages.
        address: Of the cluster, see ``EngineSettings``.
    """

    model: RoundModel
    names: Sequence[str]
    address: str | None

    def scores(self, strategy: str, options: StrategyOptions, indices: Sequence[int]) -> Iterator[tuple[int, float]]:
        """Index and score of each frame, in any order; what a strategy says does not depend on where it says it.

        Raises:
            ClusterError: Workers cannot be started, or die at the same frame again and again.
            EdgesegError: What a worker raised.
        """
        with closing(connect(self.address)) as cluster:
            pool = Pool(cluster, ScoreWorker, (self.model, strategy, options), "the round's model")
            with closing(pool):
                yield from pool.run(indices, "score", lambda index: (index,), lambda index: self.names[index])
