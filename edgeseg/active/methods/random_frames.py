"""Random frames, labeled whole: what every strategy that asks for whole frames has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from edgeseg.active.choices import Choice, frame_choice
from edgeseg.active.methods.base import About, Method, Round
from edgeseg.files import digest_text


class RandomFrames(Method):
    """Frames in an order drawn from the seed, all of their pixels, as many as the budget pays."""

    about: ClassVar[About] = About(
        "random frames, labeled whole",
        "nothing",
        "nothing",
        "-",
        "as the control of strategies that ask for whole frames",
    )

    def select(self, state: Round) -> Iterator[Choice]:
        """Whole untouched frames, in their random order."""
        order = sorted(state.pool.untouched(), key=lambda i: digest_text(f"{self.options.seed}/{i}"))
        for index in order:
            yield frame_choice(index, np.asarray(state.view(index).class_map))
