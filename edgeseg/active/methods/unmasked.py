"""Frames as the model sees them, asked for or not."""

from __future__ import annotations

from edgeseg.active.methods.base import Round
from edgeseg.device.view import FrameView


def whole_view(state: Round, index: int) -> FrameView:
    """As ``Round.view``, but pixels that were asked for before look like all others.

    What is counted or compared over all regions must not change because some of them have labels.
    """
    frame = state.pool.frame(index)
    return FrameView(frame, state.runner.infer(frame.image), state.runner.info, state.superpixel_px)
