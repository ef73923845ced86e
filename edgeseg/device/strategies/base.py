"""What every strategy is: it says how much a frame is worth a label, and which of its regions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.partition import REGION_KINDS, RegionKind
from edgeseg.device.regions import RegionScore
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError

CrfKind = Literal["superpixel", "pixel"]
DropoutScore = Literal["entropy", "mutual-information"]


@dataclass(frozen=True)
class StrategyOptions:
    """What a strategy may be told.

    Attributes:
        region_score: Whether a region's value is the sum or the mean over its pixels.
        region_share: Share of the frame's pixels that will be chosen, in (0, 1].
        seed: Of whatever is random.
        regions: What a frame is cut into, None for the strategy's own way.
        edge_weight: Factor w_e ≥ 1 of the entropy on edges of the image.
        committee: Further models that vote beside the one that drives the run.
        crf: Whether the CRF joins superpixels, or pixels (pydensecrf; needs the model's logits, takes seconds).
        dropout_passes: Passes of Monte-Carlo dropout.
        dropout_score: Whether they count by the entropy of their mean, or by their mutual information.
    """

    region_score: RegionScore = "sum"
    region_share: float = 0.1
    seed: int = 0
    regions: RegionKind | None = None
    edge_weight: float = 1.5
    committee: tuple[Path, ...] = ()
    crf: CrfKind = "superpixel"
    dropout_passes: int = 8
    dropout_score: DropoutScore = "entropy"

    def __post_init__(self) -> None:
        if not 0 < self.region_share <= 1:
            raise ConfigError(f"region_share must be above 0 and at most 1, got {self.region_share}")
        if not self.edge_weight >= 1:
            raise ConfigError(f"edge_weight must be 1 or more, got {self.edge_weight}")
        if self.dropout_passes < 2:
            raise ConfigError(f"dropout_passes must be 2 or more, got {self.dropout_passes}")
        for option, given, known in (
            ("region_score", self.region_score, ("sum", "mean")),
            ("regions", self.regions, (None, *REGION_KINDS)),
            ("crf", self.crf, ("superpixel", "pixel")),
            ("dropout_score", self.dropout_score, ("entropy", "mutual-information")),
        ):
            if given not in known:
                raise ConfigError(f"{option} must be {' or '.join(str(k) for k in known if k)}, got {given!r}")


@dataclass(frozen=True)
class FrameScore:
    """A strategy's verdict on one frame.

    Attributes:
        name, value, unit: The score that frames are ranked by; a higher one is worth more.
        labels: Region ids (H, W) int32 in camera pixels, 0 to R - 1, -1 outside all regions.
        region_values: (R,) float64; a higher one is worth more.
        region_unit: Unit of ``region_values``.
    """

    name: str
    value: float
    unit: str
    labels: NDArray[np.int32]
    region_values: NDArray[np.float64]
    region_unit: str


class Strategy(Protocol):
    """Scores frames. Made by its class from ``StrategyOptions``; one that holds resources has a ``close`` too.

    Attributes:
        name: What ``--strategy`` calls it.
        needs: Names of the model's outputs that it reads; ``dropout_masks`` for that input.
    """

    name: str
    needs: tuple[str, ...]

    def score(self, view: FrameView) -> FrameScore:
        """Scores one frame and its regions."""
        ...
