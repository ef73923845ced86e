"""Full supervision: random frames, labeled whole; the ceiling that shares of it are quoted against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from edgeseg.active.choices import Choice, frame_choice
from edgeseg.active.methods.base import About, Method, Round
from edgeseg.files import digest_text


class Full(Method):
    """As many random frames as a group has, all of their pixels, whatever the budget is."""

    about: ClassVar[About] = About(
        "random frames, labeled whole", "nothing", "as much labeling as there is", "-", "as the ceiling of every other"
    )
    unbounded = True

    def select(self, state: Round) -> Iterator[Choice]:
        """All pixels of a group of frames."""
        order = sorted(state.pool.untouched(), key=lambda i: digest_text(f"{self.options.seed}/{i}"))
        for index in order[: state.group]:
            yield frame_choice(index, np.asarray(state.view(index).class_map))
