"""Balanced ClassMix: labeled images that show rare classes, of which classes are pasted on unlabeled ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.classes import IGNORE_INDEX
from edgeseg.preprocess import Preprocess
from edgeseg.students import augment
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.groups import AugmentSettings

TRIES = 4
"""Views drawn of a frame until one shows the rare class that it was taken for."""


class Donors:
    """The labeled frames that show a rare class.

    A rare class is drawn first, each as likely as the others, then a frame that shows it: so the rarest class is pasted
    as often as the commonest of them. S4AL pastes from a buffer of partly labeled images, each class by the teacher's
    word; here every pasted pixel is labeled, and being computed from seed and position alone, nothing need be kept.

    Args:
        frames: Labeled frames.
        preprocess: The network's input.
        settings: Random changes of the labeled frames.
        pixels: (frames, C) labeled pixels of each class in each frame.
        tail: Train ids of the rare classes.
        pasted_tail, pasted_head: How many rare and how many other classes are pasted, as far as the view shows them.
    """

    def __init__(
        self,
        frames: DecodedFrames,
        preprocess: Preprocess,
        settings: AugmentSettings,
        pixels: NDArray[np.int64],
        tail: Sequence[int],
        pasted_tail: int,
        pasted_head: int,
    ) -> None:
        self.frames, self.preprocess, self.settings, self.tail = frames, preprocess, settings, frozenset(tail)
        self.pasted_tail, self.pasted_head = pasted_tail, pasted_head
        self._showing = {c: np.flatnonzero(pixels[:, c]).tolist() for c in tail if pixels[:, c].any()}
        self._color = augment.jitter(settings)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Draws what to paste, from torch's CPU generator.

        Returns:
            Image (3, height, width) float32, normalised, and label (height, width) uint8: train ids of the classes to
            paste, 255 on all other pixels.
        """
        wanted = _one_of(list(self._showing))
        image, label = self.frames[_one_of(self._showing[wanted])]
        for _ in range(TRIES):
            view = augment.draw_view(self.settings, self.preprocess, label.shape[0], label.shape[1])
            shown = augment.view_label(label, view)
            counts = torch.bincount(shown.flatten(), minlength=IGNORE_INDEX + 1)
            if counts[wanted]:
                break
        chosen = torch.zeros(IGNORE_INDEX + 1, dtype=torch.bool)
        chosen[self._choose(wanted, counts[:IGNORE_INDEX].nonzero().flatten().tolist())] = True
        donor = augment.view_image(image, view, self.preprocess, self._color)
        return donor, shown.masked_fill(~chosen[shown.long()], IGNORE_INDEX)

    def _choose(self, wanted: int, present: list[int]) -> list[int]:
        """The wanted class, where it is present, others of its kind, and some of the other kind."""
        first = [wanted] if wanted in present else []
        tail = _shuffled([c for c in present if c in self.tail and c != wanted])
        head = _shuffled([c for c in present if c not in self.tail])
        return (first + tail)[: self.pasted_tail] + head[: self.pasted_head]


def _one_of(items: list[int]) -> int:
    return items[int(torch.randint(len(items), ()))]


def _shuffled(items: list[int]) -> list[int]:
    return [items[i] for i in torch.randperm(len(items)).tolist()]
