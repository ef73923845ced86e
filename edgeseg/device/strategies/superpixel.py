"""Entropy gathered over superpixels, of which whole ones are chosen."""

from __future__ import annotations

from typing import ClassVar

from edgeseg.device.regions import REGION_UNITS, region_values
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView


class Superpixel:
    """The frame by its mean pixel entropy, each superpixel by the sum (or mean) of its pixels' entropies.

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter
    3.2. Among frames of one size, ranking by the mean and by the sum over pixels is the same.
    """

    name: ClassVar[str] = "superpixel"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "entropy", "frame_entropy")

    def __init__(self, options: StrategyOptions) -> None:
        self.options = options

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and its superpixels, in nats."""
        labels = view.superpixels
        values = region_values(labels, view.entropy, self.options.region_score) * view.nats_per_step
        unit = REGION_UNITS[self.options.region_score]
        return FrameScore("frame_entropy", float(view.outputs["frame_entropy"]), "nats", labels, values, unit)
