"""S4AL: squares of every frame where the network is uncertain; the rest of the frame is learned from a mean teacher."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Budget, Choice
from edgeseg.active.methods.base import About, Method, MethodOptions, Rest, Round
from edgeseg.active.methods.extra import with_loss
from edgeseg.active.methods.flip_pair import pixel_entropy
from edgeseg.active.methods.region_query import (
    RECTANGLE_CLICKS,
    best_of_image,
    free_regions,
    in_camera_pixels,
    rectangle_choices,
    rectangles,
    region_means,
)
from edgeseg.active.methods.spread import Spread
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.students import ExtraLoss, Step, TrainSettings


class EarlyLabels(ExtraLoss):
    """Half of the loss on labels once more, until unlabeled frames join in: 1.5 · L_sup, as the authors have it.

    Args:
        num_classes: C.
        until: Share of the training.
    """

    def __init__(self, num_classes: int, until: float) -> None:
        super().__init__()
        self.until = until

    def forward(self, step: Step) -> dict[str, torch.Tensor]:
        """Looks at the training's progress."""
        if step.progress >= self.until:
            return {"loss": step.logits.new_zeros(())}
        return {"loss": 0.5 * step.cross_entropy(step.logits, step.labels)}


@dataclass(frozen=True)
class S4alOptions:
    """S4AL's own option.

    Attributes:
        rows: Rows of squares in a frame.
    """

    rows: int = 12

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"rows must be 1 or more rows of squares a frame, got {self.rows}")


class S4al(Method):
    """Of every frame of Q the squares of highest mean entropy, as many as the budget allows.

    The training is that of ``edgeseg.students.semi``: a mean teacher in evaluation mode, whose batch-norm statistics
    follow the student's, labels what is unlabeled; asked pixels keep their labels; ClassMix pastes rare and common
    classes. The reported model is the loop's own, as for every strategy, not the teacher.
    """

    about: ClassVar[About] = About(
        "squares, the same number of every frame",
        "all frames of Q in the training, with a mean teacher",
        "3 to 4 times the training; scores every frame",
        "Rangnekar et al., WACV 2023",
        "labelers can touch every frame, and training time is cheap",
    )
    rest: Rest | None = "ignore"
    semi: bool = True

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        self.rows = config.resolve(S4alOptions, options=options.take(**vars(S4alOptions()))).rows

    def training(self, settings: TrainSettings) -> TrainSettings:
        """With the mean teacher, confidence weighting, balanced ClassMix and known labels; the rest is the run's."""
        semi = replace(
            settings.semi, mean_teacher=True, confidence_weighting=True, classmix="balanced", known_labels=True
        )
        until = semi.first_epoch(settings.epochs) / settings.epochs
        return with_loss(replace(settings, semi=semi), EarlyLabels, until=until)

    def select(self, state: Round) -> Iterator[Choice]:
        """The best square of every frame, then the second of every frame, and so on."""
        spread = Spread("s4al", "entropy", math.log(max(2, state.pool.class_map.num_classes)))
        best = [self._best_of(state, index, spread) for index in range(len(state.pool))]
        spread.require()
        state.tell(entropy_low=spread.low, entropy_high=spread.high)
        for rank in range(max(map(len, best))):
            same = [choices[rank] for choices in best if rank < len(choices)]
            yield from sorted(same, key=lambda choice: (-choice.value, choice.frame))

    def _best_of(self, state: Round, index: int, spread: Spread) -> list[Choice]:
        view = state.view(index)
        entropy = entropy_map(view)
        spread.add(entropy)
        regions = squares(entropy.shape[0], entropy.shape[1], self.rows)
        values = region_means(entropy, regions, view.ignored) * free_regions(regions, view.ignored)
        smallest = int(np.bincount(regions.ravel()).min())
        chosen = best_of_image(values, most_of_one(state.budget, len(state.pool), smallest))
        return rectangle_choices(index, regions, chosen, values, view.class_map)


def squares(height: int, width: int, rows: int) -> NDArray[np.int32]:
    """So many rows of rectangles as nearly square as the frame allows, (H, W) int32; 12 rows of 360×480 are 30×30."""
    return rectangles(height, width, min(rows, height), min(width, max(1, round(width * rows / height))))


def most_of_one(budget: Budget, frames: int, pixels: int) -> int:
    """Squares that a budget allows in each of so many frames at most, if one has so many pixels."""
    least = RECTANGLE_CLICKS if budget.unit == "clicks" else pixels
    return budget.amount // (frames * least) + 1


@torch.inference_mode()
def entropy_map(view: FrameView) -> NDArray[np.float32]:
    """Entropy of each camera pixel (H, W), nats."""
    return in_camera_pixels(view, pixel_entropy(torch.from_numpy(view.outputs["logits"])[None])[0].numpy())
