"""Full supervision: random frames, labeled whole; the ceiling that shares of it are quoted against."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import About, Round
from edgeseg.active.methods.random_frames import RandomFrames


class Full(RandomFrames):
    """As many random frames as a group has, all of their pixels, whatever the budget is."""

    about: ClassVar[About] = About(
        "random frames, labeled whole", "nothing", "as much labeling as there is", "-", "as the ceiling of every other"
    )
    unbounded = True

    def select(self, state: Round) -> Iterator[Choice]:
        """All pixels of a group of frames."""
        return islice(super().select(state), state.group)
