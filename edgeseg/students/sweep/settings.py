"""Settings of a sweep; every name is also a key of its YAML."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgeseg import config
from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.students.groups import require_within
from edgeseg.students.settings import DistillSettings, TrainSettings

METHODS: dict[str, type[TrainSettings]] = {"train": TrainSettings, "distill": DistillSettings}


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: The bounds.
        log: Whether to search the logarithm, as suits rates and weights.
        integer: Whether only whole numbers are tried.
    """

    __pydantic_config__ = STRICT

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"a range of the space must rise from low to high, got {self.low:g} to {self.high:g}")
        if self.log and self.low <= 0:
            raise ConfigError(f"a range with log must begin above 0, got {self.low:g}; leave log out, or raise low")
        if self.integer and (self.low % 1 or self.high % 1):
            raise ConfigError(f"a range of integers must have whole bounds, got {self.low:g} to {self.high:g}")


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """A search for the settings with the highest mIoU.

    The mIoU is that of the best epoch on the validation data of ``base``: by default a tenth of its training data,
    set aside by hash, so that no split is needed that is to be reported on.

    Attributes:
        method: What a trial runs.
        base: Settings of the method that all trials share, as in its own YAML; the seed comes from ``seeds``.
        space: Dotted name of a setting → ``Range``, or a list of the values to choose from.
        trials: How many combinations are tried, failed ones included; ``grid`` never tries more than there are.
        seeds: Each trial is trained with every one of them; its value is the mean.
        sampler: ``tpe`` learns from earlier trials where to look (Bergstra et al., "Algorithms for Hyper-Parameter
            Optimization", NeurIPS 2011), ``random`` does not, ``grid`` tries every combination of lists.
        sampler_seed: Of what the sampler draws.
    """

    __pydantic_config__ = STRICT

    method: Literal["train", "distill"]
    base: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Range | list[Any]] = field(default_factory=dict)
    trials: int = 20
    seeds: tuple[int, ...] = (0,)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    sampler_seed: int = 0

    def __post_init__(self) -> None:
        require_within("trials", self.trials, 1, 10**6)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(f"seeds must be one or more different numbers, got {list(self.seeds)}")

    def of_trial(self, parameters: Mapping[str, Any], seed: int) -> TrainSettings:
        """Settings of one training.

        Args:
            parameters: Dotted name → value.
            seed: One of ``seeds``.

        Raises:
            ConfigError: They cannot be used.
        """
        options = {**copy.deepcopy(self.base), **parameters, "seed": seed}
        return config.resolve(METHODS[self.method], None, (), options)
