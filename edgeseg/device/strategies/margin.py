"""Margin: how close the second class comes to the first."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView


class Margin(Pixelwise):
    """A pixel's uncertainty is 1 − (p₁ − p₂), p₁ and p₂ being its two largest probabilities.

    Scheffer et al., "Active Hidden Markov Models for Information Extraction", 2001.
    """

    name: ClassVar[str] = "margin"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "top2_probs")
    score_name: ClassVar[str] = "frame_margin"

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """1 − (p₁ − p₂), 255 = 1."""
        first, second = view.outputs["top2_probs"]
        return view.in_camera_pixels(np.rint(255 * (1 - (first - second))).astype(np.uint8))
