"""Least confidence: how far the best class stays from certainty."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView


class LeastConfidence(Pixelwise):
    """A pixel's uncertainty is 1 − p₁, p₁ being its largest probability.

    Lewis and Gale, "A Sequential Algorithm for Training Text Classifiers", 1994.
    """

    name: ClassVar[str] = "least-confidence"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "top2_probs")
    score_name: ClassVar[str] = "frame_unconfidence"

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """1 − p₁, 255 = 1."""
        return view.in_camera_pixels(np.rint(255 * (1 - view.outputs["top2_probs"][0])).astype(np.uint8))
