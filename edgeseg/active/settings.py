"""Settings of a simulated loop; every name is also a key of its YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgeseg import config
from edgeseg.active.methods import require_known
from edgeseg.active.methods.base import Rest
from edgeseg.cluster import EngineSettings
from edgeseg.config import STRICT
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.errors import ConfigError
from edgeseg.students import TrainSettings
from edgeseg.students.groups import require_within

_SET_BY_LOOP = ("data", "val", "unlabeled", "init", "seed", "iterations_per_epoch", "evaluate_every")


@dataclass(frozen=True, kw_only=True)
class ActiveSettings:
    """Algorithm 1 of Kasarla 2019, section 3.2, with an oracle that answers from ground truth.

    Attributes:
        data: Labeled dataset, split by the seed into P, labeled at the start, and Q, whose labels the oracle keeps.
        val: What every round is reported on; nothing is chosen on it: a round's model is that of its last epoch.
        strategies: Names of ``edgeseg active strategies``, or ``package.module:Class``.
        seeds: One run of every strategy for each: split, network, order, dropout, selection.
        initial: P: a share of ``data`` below 1, or a number of frames.
        rounds: b, how often the oracle is asked.
        group: l, frames of a round; None shares Q out evenly over the rounds.
        share: m, share of an image's pixels that the oracle labels.
        budget_clicks: Most clicks of a round, instead of ``group`` · ``share`` of a frame in pixels.
        rest: Label of a pixel of an answered frame that was not asked for: the current model's ``prediction``, or
            ``ignore``; None is the strategy's own way, else ``ignore`` (the thesis takes its ``prediction``, which
            made a weak model worse on every seed tried; see ``benchmarks/results/active``).
        rest_confidence: Least probability of the winning class from which a prediction counts as a label; pixels
            below it are ignored.
        start: Whether a round's training goes on from the last model (``finetune``) or begins anew (``scratch``).
        init: Checkpoint that the first training starts from, as ``train --init``.
        semi: Whether the trainings also learn from all frames of Q without their labels, see ``training.semi``.
        committee: Further models trained on P for strategies that let several vote.
        superpixel_px: Nominal pixels of a region.
        epochs: Epochs of a round's training; an epoch is as many iterations as a pass over P and Q would be, whatever
            was labeled, so that every strategy trains the same number of iterations.
        initial_epochs: Epochs of the training on P; None is ``epochs``.
        launcher: Words that start the processes of a round's training, such as ``[torchrun, --nproc-per-node, 4]``.
        engine: Where strategies of the vehicle score the frames of Q: ``local``, or ``ray``, on the workers of a Ray
            cluster, which find ``data`` and the run's folder under the paths that they have here.
        address: Of the cluster, see ``cluster.EngineSettings``.
        training: Further settings of the trainings, as ``train --set``; ``network`` is one of them.
        method: Strategy → its own options, as ``--set method.superpixel.region_score=sum``.
    """

    __pydantic_config__ = STRICT

    data: str
    val: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    initial: float = 0.4
    rounds: int = 6
    group: int | None = None
    share: float = 0.1
    budget_clicks: int | None = None
    rest: Rest | None = None
    rest_confidence: float = 0.0
    start: Literal["finetune", "scratch"] = "finetune"
    init: Path | None = None
    semi: bool = False
    committee: int = 2
    superpixel_px: int = SUPERPIXEL_PX
    epochs: int = 20
    initial_epochs: int | None = None
    launcher: tuple[str, ...] = ()
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    training: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, low, high in (("rounds", 1, 1000), ("committee", 1, 20), ("epochs", 1, 10**6)):
            require_within(name, getattr(self, name), low, high)
        require_within("share", self.share, 0, 1, open_low=True)
        require_within("rest_confidence", self.rest_confidence, 0, 1)
        require_within("initial", self.initial, 0, 10**9, open_low=True)
        for name in ("group", "budget_clicks", "initial_epochs"):
            if getattr(self, name) is not None:
                require_within(name, getattr(self, name), 1, 10**9)
        for name, values in (("strategies", self.strategies), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise ConfigError(f"{name} must name one or more, each once, got {list(values)}")
        for strategy in self.strategies:
            require_known(strategy)
        if clash := sorted(set(self.training) & set(_SET_BY_LOOP)):
            raise ConfigError(f"training.{', training.'.join(clash)}: set by the loop itself; leave it away")
        EngineSettings(self.engine, self.address)
        self.trained(0, 1)

    def trained(self, seed: int, iterations: int) -> TrainSettings:
        """Settings of a round's training; its data is still to be named.

        Args:
            seed: Of the run.
            iterations: Of an epoch.

        Raises:
            ConfigError: A setting of the training cannot be used.
        """
        own = {"network": "enet", "epochs": self.epochs, **self.training}
        own |= {"data": "folder:", "val": "none", "seed": seed, "iterations_per_epoch": iterations}
        return config.resolve(TrainSettings, options={**own, "evaluate_every": 10**6})
