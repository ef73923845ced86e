"""Pixel entropy that counts for more on the edges of the image."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.base import StrategyOptions
from edgeseg.device.strategies.entropy import Entropy
from edgeseg.device.view import FrameView

CANNY_THRESHOLDS = (100, 200)
"""Gradients below the first are no edge; above the second they are; between, where they continue one."""


class EntropyEdge(Entropy):
    """As ``Entropy``, with the entropy of edge pixels (Canny, on the camera's frame) times w_e.

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter
    3.2; Canny, "A Computational Approach to Edge Detection", TPAMI 1986.
    """

    name: ClassVar[str] = "entropy-edge"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "entropy")
    score_name: ClassVar[str] = "frame_edge_entropy"

    def __init__(self, options: StrategyOptions) -> None:
        super().__init__(options)
        # One step stands for w_e times the nats, so that weighted values still fit in a byte.
        self._off_edges = np.rint(np.arange(256) / options.edge_weight).astype(np.uint8)

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """Weighted entropy, 255 = w_e · log C nats."""
        grey = cv2.cvtColor(view.frame.image, cv2.COLOR_RGB2GRAY)
        edges = cv2.Canny(grey, *CANNY_THRESHOLDS)
        return np.where(edges > 0, view.entropy, cv2.LUT(view.entropy, self._off_edges))

    def step(self, view: FrameView) -> float:
        """Nats of one step."""
        return view.nats_per_step * self.options.edge_weight

    def frame_value(self, view: FrameView, uncertainty: NDArray[np.uint8]) -> float:
        """Mean weighted entropy in nats."""
        return float(cv2.mean(uncertainty)[0]) * self.step(view)
