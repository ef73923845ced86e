"""Random frames and random regions of them: what every other strategy has to beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.files import digest_text


class Random:
    """Uniform scores in [0, 1), drawn from the seed and the frame's id, so that a second run repeats them."""

    name: ClassVar[str] = "random"
    needs: ClassVar[tuple[str, ...]] = ("class_map",)

    def __init__(self, options: StrategyOptions) -> None:
        if options.regions == "pixels":
            raise ConfigError(
                f"strategy {self.name} knows no uncertain pixels: take superpixel, grid or component as regions"
            )
        self.options = options

    def score(self, view: FrameView) -> FrameScore:
        """Draws one score for the frame and one for each region."""
        draw = np.random.default_rng(int(digest_text(f"{self.options.seed}/{view.frame.id}")[:16], 16))
        value = float(draw.random())
        labels = view.regions(self.options.regions or "superpixel")
        return FrameScore("random", value, "", labels, draw.random(int(labels.max()) + 1), "")
