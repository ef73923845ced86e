"""What every strategy is: it says how much a frame is worth a label, and which of its regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.regions import RegionScore
from edgeseg.device.view import FrameView


@dataclass(frozen=True)
class StrategyOptions:
    """What a strategy may be told.

    Attributes:
        region_score: Whether a region's value is the sum or the mean over its pixels.
        region_share: Share of the frame's pixels that will be chosen, in (0, 1].
        seed: Of whatever is random.
    """

    region_score: RegionScore = "sum"
    region_share: float = 0.1
    seed: int = 0


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
    """Scores frames. Made by its class from ``StrategyOptions``.

    Attributes:
        name: What ``--strategy`` calls it.
        needs: Names of the model's outputs that it reads.
    """

    name: str
    needs: tuple[str, ...]

    def score(self, view: FrameView) -> FrameScore:
        """Scores one frame and its regions."""
        ...
