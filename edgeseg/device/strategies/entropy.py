"""Plain pixel entropy: the most uncertain pixels, wherever they are."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.partition import RegionKind
from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView


class Entropy(Pixelwise):
    """The frame by its mean pixel entropy; its regions are connected groups of the most uncertain pixels.

    H = −Σ p log p. The pixels are those above the level that at most the wanted share of the frame
    reaches; groups below ``SMALLEST_PX`` are left out. Among frames of one size, ranking by the mean
    and by the sum over pixels is the same.
    """

    name: ClassVar[str] = "entropy"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "entropy", "frame_entropy")
    score_name: ClassVar[str] = "frame_entropy"
    unit: ClassVar[str] = "nats"
    own_regions: ClassVar[RegionKind] = "pixels"

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """The model's entropy map."""
        return view.entropy

    def step(self, view: FrameView) -> float:
        """Nats of one step."""
        return view.nats_per_step

    def frame_value(self, view: FrameView, uncertainty: NDArray[np.uint8]) -> float:
        """The graph's own mean, unless part of the frame does not count."""
        if view.ignored is not None:
            return super().frame_value(view, uncertainty)
        return float(view.outputs["frame_entropy"])
