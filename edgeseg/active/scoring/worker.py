"""What runs in a worker process of a cluster; imported there, so it does not import Ray itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg import __version__, datasets
from edgeseg.active.answers import Answers
from edgeseg.active.pool import Pool, Unlabeled
from edgeseg.active.running import open_runner
from edgeseg.active.scoring.score import checked_score, view_of
from edgeseg.cluster.node import naming_node, require_version
from edgeseg.datasets import Subset
from edgeseg.deploy.runners.base import Runner
from edgeseg.device import strategies
from edgeseg.device.strategies import Strategy, StrategyOptions
from edgeseg.errors import ClusterError
from edgeseg.files import digest_file


@dataclass(frozen=True)
class RoundModel:
    """A round's model and what it is asked about, so that another machine can open both.

    Attributes:
        data: Spec of all frames, with an absolute path.
        asked: Numbers in it of Q, in order.
        checkpoint: The model, with an absolute path.
        digest: Of that file.
        needs: Outputs that are read, see ``open_runner``.
        extra: What the model's own file does not say, such as class prototypes.
        superpixel_px: Nominal pixels of a region.
    """

    data: str
    asked: tuple[int, ...]
    checkpoint: Path
    digest: str
    needs: tuple[str, ...]
    extra: dict[str, Any]
    superpixel_px: int


class ScoreWorker:
    """A round's model with one strategy.

    Args:
        model: The model.
        strategy: Name of a strategy of the vehicle, or ``package.module:Class``.
        options: The strategy's.
        version: Of this package where the loop runs.
    """

    def __init__(self, model: RoundModel, strategy: str, options: StrategyOptions, version: str = __version__) -> None:
        self._model, self._name, self._options, self._version = model, strategy, options, version
        self._opened: tuple[Pool, Runner, Strategy] | None = None

    def load(self) -> None:
        """Opens all; apart from the constructor, so that its errors come back whole.

        Raises:
            ClusterError: Version or model are not those of the machine that runs the loop.
            EdgesegError: Something cannot be opened on this machine.
        """
        model = self._model
        with naming_node():
            require_version(self._version)
            if not model.checkpoint.exists() or digest_file(model.checkpoint) != model.digest:
                raise ClusterError(
                    f"{model.checkpoint} is missing or another file here; give --out a folder that all nodes share"
                )
            pool = Pool(Unlabeled(Subset(datasets.open(model.data), model.asked)), Answers())
            runner = open_runner(model.checkpoint, model.needs, None)
            runner.info = runner.info.with_extra(**model.extra)
            self._opened = pool, runner, strategies.build(self._name, self._options)

    def score(self, index: int) -> float:
        """The strategy's score of a frame of Q, of which nothing was asked yet."""
        assert self._opened is not None, "load comes first"
        pool, runner, strategy = self._opened
        with naming_node():
            view = view_of(pool, runner, self._model.superpixel_px, index)
            return checked_score(self._name, strategy, view).value
