"""Flip consistency: where the model says another thing of a frame's mirror image."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView


class FlipConsistency(Pixelwise):
    """A pixel is uncertain where its class changes when the frame is mirrored; costs a second run of the model.

    Among pixels that disagree, or agree, nothing is ranked: regions gather shares of them.
    """

    name: ClassVar[str] = "flip-consistency"
    needs: ClassVar[tuple[str, ...]] = ("class_map",)
    score_name: ClassVar[str] = "frame_flip_disagreement"

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """255 where the two predictions differ, else 0."""
        differ = view.class_map != view.mirrored.class_map[:, ::-1]
        if view.ignored is not None:
            differ &= ~view.ignored
        return np.where(differ, np.uint8(255), np.uint8(0))
