"""Plain pixel entropy: the most uncertain pixels, wherever they are."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.regions import REGION_UNITS, region_values
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView

SMALLEST_PX = 64
"""Connected groups of fewer pixels are nothing that a person could label."""


class Entropy:
    """The frame by its mean pixel entropy; its regions are connected groups of the most uncertain pixels.

    H = −Σ p log p. The pixels are those above the level that at most the wanted share of the frame
    reaches; groups below ``SMALLEST_PX`` are left out.
    """

    name: ClassVar[str] = "entropy"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "entropy", "frame_entropy")

    def __init__(self, options: StrategyOptions) -> None:
        self.options = options

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and its groups of uncertain pixels, in nats."""
        labels = groups(top_pixels(view.entropy, self.options.region_share))
        values = region_values(labels, view.entropy, self.options.region_score) * view.nats_per_step
        unit = REGION_UNITS[self.options.region_score]
        return FrameScore("frame_entropy", float(view.outputs["frame_entropy"]), "nats", labels, values, unit)


def top_pixels(entropy: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Mask (H, W) of the highest values: at most ``share`` of all pixels, equal values all or none, never 0."""
    reaching = np.bincount(entropy.ravel(), minlength=256)[::-1].cumsum()[::-1]
    level = max(1, int((reaching > share * entropy.size).sum()))
    return entropy >= level


def groups(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Connected groups (8 neighbours) of at least ``SMALLEST_PX``: ids (H, W) int32 from 0, -1 elsewhere."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_PX
    keep[0] = False
    table = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    return np.asarray(table[labels], np.int32)
