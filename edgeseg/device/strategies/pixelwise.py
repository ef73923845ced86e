"""What strategies share that have one number for each pixel: the cut into regions, their values, the frame's score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.partition import SMALLEST_PX, RegionKind, without_small
from edgeseg.device.regions import region_values
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView


class Pixelwise(ABC):
    """Scores a frame and its regions by an uncertainty that every pixel has.

    A region's value is the sum (or mean) over its pixels; the frame's is the mean over all of them.

    Attributes:
        score_name: What the frame's score is called.
        unit: Unit of a pixel's uncertainty, "" for a share in [0, 1].
        own_regions: What a frame is cut into unless the options say otherwise.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    score_name: ClassVar[str]
    unit: ClassVar[str] = ""
    own_regions: ClassVar[RegionKind] = "superpixel"

    def __init__(self, options: StrategyOptions) -> None:
        self.options = options

    @abstractmethod
    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """Uncertainty of each camera pixel (H, W) uint8 in steps of ``step``; 0 where no label is wanted."""

    def step(self, view: FrameView) -> float:
        """What one step of ``uncertainty`` stands for, in ``unit``."""
        return 1 / 255

    def frame_value(self, view: FrameView, uncertainty: NDArray[np.uint8]) -> float:
        """Mean uncertainty over the frame's pixels, in ``unit``."""
        return float(cv2.mean(uncertainty)[0]) * self.step(view)

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and its regions."""
        uncertainty = self.uncertainty(view)
        labels = self._regions(view, uncertainty)
        values = region_values(labels, uncertainty, self.options.region_score) * self.step(view)
        value = self.frame_value(view, uncertainty)
        return FrameScore(self.score_name, value, self.unit, labels, values, self._region_unit())

    def _regions(self, view: FrameView, uncertainty: NDArray[np.uint8]) -> NDArray[np.int32]:
        kind = self.options.regions or self.own_regions
        if kind == "pixels":
            return groups(top_pixels(uncertainty, self.options.region_share))
        return view.regions(kind)

    def _region_unit(self) -> str:
        if self.options.region_score == "sum":
            return self.unit or "px"
        return f"{self.unit}/px" if self.unit else ""


def top_pixels(uncertainty: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Mask (H, W) of the highest values: at most ``share`` of all pixels, equal values all or none, never 0."""
    counts = cv2.calcHist([uncertainty], [0], None, [256], [0, 256]).ravel()
    reaching = counts[::-1].cumsum(dtype=np.float64)[::-1]
    level = max(1, int((reaching > share * uncertainty.size).sum()))
    return uncertainty >= level


def groups(mask: NDArray[np.bool_], smallest_px: int = SMALLEST_PX) -> NDArray[np.int32]:
    """Connected groups (8 neighbours) of at least ``smallest_px``: ids (H, W) int32 from 0, -1 elsewhere."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return without_small(np.asarray(labels - 1, np.int32), smallest_px)
