"""Unlabeled samples: what the teacher sees, what the student sees, what is pasted."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edgeseg.classes import IGNORE_INDEX
from edgeseg.preprocess import Preprocess
from edgeseg.students import augment
from edgeseg.students.batches import DecodedFrames, WindowReader
from edgeseg.students.groups import AugmentSettings
from edgeseg.students.semi.donors import Donors
from edgeseg.students.semi.unlabeled import UnlabeledBatch, UnlabeledKey


class UnlabeledSamples:
    """Samples by key; equal keys give equal samples.

    Args:
        frames: Where the frames come from; their labels are not looked at.
        preprocess: The network's input.
        settings: Random changes; mirror image and colours are the student's alone.
        seed: Of the training.
        donors: Where pasted classes come from, or None.
        soft_window: Where soft labels come from, or None.
        known_labels: Frame → its labels so far (H, W) uint8 train ids, None where it has none; or None.
    """

    def __init__(
        self,
        frames: DecodedFrames,
        preprocess: Preprocess,
        settings: AugmentSettings,
        seed: int,
        donors: Donors | None = None,
        soft_window: WindowReader | None = None,
        known_labels: Callable[[int], Tensor | None] | None = None,
    ) -> None:
        self.frames, self.preprocess, self.settings, self.seed = frames, preprocess, settings, seed
        self.donors, self.soft_window, self.known_labels = donors, soft_window, known_labels
        self._color = augment.jitter(settings)

    def draw(self, key: UnlabeledKey) -> UnlabeledBatch:
        """One sample, as a batch of one.

        Raises:
            EdgesegError: The frame or its soft labels cannot be read.
        """
        image, nothing = self.frames[key.frame]
        height, width = nothing.shape
        with augment.sample_randomness(self.seed, key.position, "unlabeled"):
            view = augment.draw_view(self.settings, self.preprocess, height, width)
            plain, changed = augment.view_image_twice(image, view, self.preprocess, self._color)
            donor = self.donors.draw() if self.donors else None
        inside = augment.inside(view)
        pasted = torch.full(view.size, IGNORE_INDEX, dtype=torch.uint8)
        soft = self._soft_labels(key.frame, view)
        if donor is not None:
            pasted = donor[1]
            there = pasted != IGNORE_INDEX
            changed, inside = torch.where(there, donor[0], changed), inside | there
            soft = None if soft is None else soft.masked_fill(there, 0.0)
        return UnlabeledBatch(
            plain[None],
            changed[None],
            torch.tensor([view.flip]),
            inside[None],
            pasted[None],
            self._known(key.frame, view)[None],
            None if soft is None else soft[None],
            (key.position,),
        )

    def _known(self, frame: int, view: augment.View) -> Tensor:
        label = self.known_labels(frame) if self.known_labels else None
        if label is None:
            return torch.full(view.size, IGNORE_INDEX, dtype=torch.uint8)
        return augment.view_label(label, view)

    def _soft_labels(self, frame: int, view: augment.View) -> Tensor | None:
        if self.soft_window is None:
            return None
        sample_id = self.frames.dataset.sample_ids[frame]
        size = view.place.height, view.place.width
        window = self.soft_window(sample_id, view.top, view.left, view.height, view.width, size)
        return augment.view_soft_labels(torch.from_numpy(window), view)
