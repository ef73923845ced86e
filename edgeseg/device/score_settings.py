"""How frames are scored and which are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar

from edgeseg.config import STRICT
from edgeseg.device.agent.agent import AgentSettings
from edgeseg.device.agent.surroundings import Surroundings, parse_place
from edgeseg.device.partition import RegionKind
from edgeseg.device.policy.settings import PolicySettings
from edgeseg.device.regions import RegionScore
from edgeseg.device.strategies import CrfKind, DropoutScore, StrategyOptions
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.errors import ConfigError
from edgeseg.records import LABEL_PATTERN


@dataclass(frozen=True)
class ScoreSettings:
    """How frames are scored and which are kept.

    Attributes:
        strategy: Name of a strategy, or ``package.module:Class``.
        budget_frames: Keep at most N frames of this run, the highest scores; None keeps every frame.
        region_share: Share of a frame's pixels that is chosen as regions, in (0, 1].
        region_score: Whether a region's value is the ``sum`` (the method's) or ``mean`` of its pixels.
        regions: What a frame is cut into: ``pixels``, ``superpixel``, ``grid``, ``component``; None for the
            strategy's own way.
        superpixel_px: Pixels of one superpixel or grid cell.
        edge_weight, committee, crf, dropout_passes, dropout_score: See ``StrategyOptions``.
        ignore_mask: Image of the camera's size; where it is not 0, no label is wanted (the car's own hood).
        vehicle, drive: Names that go into the records.
        seed: Of the random strategy, and of dropout.
        ranking: File for the list of all frames by score (JSON lines), None for none. The list is
            held in memory until the run ends.
        fit_ms: What network and scoring may take for a frame: the best strategy that keeps this, beginning with
            ``strategy``; None to keep that one.
        trace: File for all frames as a policy sees them, for ``edgeseg policy replay``; None for none.
        policy: What is kept under budgets in a time; without a budget there, ``budget_frames`` decides.
        policy_file: The same from a YAML file, which is read again when it is replaced.
        agent: How it runs as a service.
    """

    strategy: str = "superpixel"
    budget_frames: int | None = None
    region_share: float = 0.1
    region_score: RegionScore = "sum"
    regions: RegionKind | None = None
    superpixel_px: int = SUPERPIXEL_PX
    edge_weight: float = 1.5
    committee: tuple[Path, ...] = ()
    crf: CrfKind = "superpixel"
    dropout_passes: int = 8
    dropout_score: DropoutScore = "entropy"
    ignore_mask: Path | None = None
    vehicle: str = "unknown"
    drive: str = "unknown"
    seed: int = 0
    ranking: Path | None = None
    fit_ms: float | None = None
    trace: Path | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    policy_file: Path | None = None
    agent: AgentSettings = field(default_factory=AgentSettings)

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.budget_frames is not None and self.budget_frames < 1:
            raise ConfigError(f"budget_frames must be 1 or more, got {self.budget_frames}; leave it out to keep all")
        if self.budget_frames is not None and self.policy.chooses:
            raise ConfigError("budget_frames is of one run; with a policy's budget or trigger leave it out")
        if self.policy_file is not None and (self.policy.chooses or self.budget_frames is not None):
            raise ConfigError(
                f"the policy is in {self.policy_file}; write its budgets and triggers there, and no others"
            )
        if self.superpixel_px < 16:
            raise ConfigError(f"superpixel_px must be at least 16, got {self.superpixel_px}")
        self.strategy_options()
        for option, name in (("vehicle", self.vehicle), ("drive", self.drive)):
            if not re.fullmatch(LABEL_PATTERN, name):
                raise ConfigError(
                    f"{option} must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with "
                    f"a letter or digit; got {name!r}"
                )

    @property
    def given(self) -> Surroundings:
        """What the options say of the surroundings."""
        place = parse_place(self.agent.place) if self.agent.place else None
        return Surroundings(self.vehicle, self.drive, place)

    def strategy_options(self) -> StrategyOptions:
        """What of these the strategy is told.

        Raises:
            ConfigError: One of them is out of range.
        """
        return StrategyOptions(**{field.name: getattr(self, field.name) for field in fields(StrategyOptions)})
