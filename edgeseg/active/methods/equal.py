"""EquAL: the patches of all frames where the network is uncertain of the image and of its mirror image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Choice, highest
from edgeseg.active.methods.base import About, Method, MethodOptions, Rest, Round
from edgeseg.active.methods.extra import with_loss
from edgeseg.active.methods.flip_pair import mirrored, pair_entropy, pair_terms
from edgeseg.active.methods.region_query import (
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


class FlipPairLoss(ExtraLoss):
    """EquAL's loss beside the training's own on labels: ``mirrored_ce`` and ``consistency``; see ``pair_terms``.

    The mirrored images are a second pass of the network, as the authors have it: batch norm sees them alone.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, step: Step) -> dict[str, torch.Tensor]:
        """Runs the network on the mirrored images."""
        of_mirrored = step.forward(mirrored(step.images))
        return pair_terms(step.logits, of_mirrored, step.labels, step.cross_entropy)


@dataclass(frozen=True)
class EqualOptions:
    """EquAL's own option.

    Attributes:
        grid: Rows and columns of patches in a frame.
    """

    grid: tuple[int, int] = (5, 5)

    def __post_init__(self) -> None:
        if min(self.grid) < 1:
            raise ConfigError(f"grid must be rows and columns of patches, got {list(self.grid)}")


class Equal(Method):
    """Patches of highest H(z¹) + H(z²), over all frames of Q; no network or label takes part but the model itself.

    The authors ask for one patch at a time and begin without labels, where an untrained network's entropy is noise;
    here the first patches are chosen by a model trained on P.
    """

    about: ClassVar[About] = About(
        "patches of a 5×5 grid, over all frames",
        "a loss in the training that makes an image and its mirror image agree",
        "2 times the training; scores every frame twice",
        "Golestaneh and Kitani, BMVC 2020",
        "few labels and a training that can be changed; random+equal tells what its loss alone brings",
    )
    rest: Rest | None = "ignore"

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        own = config.resolve(EqualOptions, options=options.take(**vars(EqualOptions())))
        self.rows, self.columns = own.grid

    def training(self, settings: TrainSettings) -> TrainSettings:
        """With the loss on mirrored images."""
        return with_loss(settings, FlipPairLoss)

    def select(self, state: Round) -> Iterator[Choice]:
        """Patches, the most uncertain of all frames first."""
        spread = Spread("equal", "entropy", float(2 * np.log(max(2, state.pool.class_map.num_classes))))
        yield from highest(self._patches(state, spread), state.budget)

    def _patches(self, state: Round, spread: Spread) -> Iterator[Choice]:
        for index in range(len(state.pool)):
            view = state.view(index)
            entropy = pair_entropy_map(view)
            spread.add(entropy)
            regions = rectangles(entropy.shape[0], entropy.shape[1], self.rows, self.columns)
            free = np.flatnonzero(free_regions(regions, view.ignored)).tolist()
            yield from rectangle_choices(index, regions, free, region_means(entropy, regions), view.class_map)
        spread.require()
        state.tell(entropy_low=spread.low, entropy_high=spread.high)


@torch.inference_mode()
def pair_entropy_map(view: FrameView) -> NDArray[np.float32]:
    """H(z¹) + H(z²) of each camera pixel (H, W), nats; runs the model on the mirror image."""
    here, there = (torch.from_numpy(v.outputs["logits"])[None] for v in (view, view.mirrored))
    return in_camera_pixels(view, pair_entropy(here, there)[0].numpy())
