"""A batch of unlabeled samples, as the loader makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class UnlabeledKey(NamedTuple):
    """What an unlabeled sample is a function of, beside the seed.

    Attributes:
        position: In the stream of all unlabeled samples of the training.
        frame: Its index in its dataset.
    """

    position: int
    frame: int


@dataclass(frozen=True)
class UnlabeledBatch:
    """N unlabeled samples, H×W pixels each.

    Attributes:
        teacher_images: (N, 3, H, W) float32, normalised, neither mirrored nor with changed colours.
        student_images: (N, 3, H, W) float32, normalised, as the student sees them.
        flips: (N,) bool, where the student's image is mirrored.
        inside: (N, H, W) bool, in the student's view: where the frame is, or something pasted; False in the padding.
        pasted: (N, H, W) uint8, in the student's view: train ids of labeled pixels pasted on the image, 255 elsewhere.
        known: (N, H, W) uint8, in the student's view: train ids of pixels that are labeled already, 255 elsewhere.
        soft_labels: (N, C, H, W) float32 in the student's view, all 0 where there are none; or None.
        positions: N places in the stream of unlabeled samples.
    """

    teacher_images: Tensor
    student_images: Tensor
    flips: Tensor
    inside: Tensor
    pasted: Tensor
    known: Tensor
    soft_labels: Tensor | None
    positions: tuple[int, ...]

    def to(self, device: torch.device, memory_format: torch.memory_format) -> UnlabeledBatch:
        """The same on a device, images in the memory format."""
        return UnlabeledBatch(
            self.teacher_images.to(device, non_blocking=True, memory_format=memory_format),
            self.student_images.to(device, non_blocking=True, memory_format=memory_format),
            self.flips.to(device, non_blocking=True),
            self.inside.to(device, non_blocking=True),
            self.pasted.to(device, non_blocking=True),
            self.known.to(device, non_blocking=True),
            None if self.soft_labels is None else self.soft_labels.to(device, non_blocking=True),
            self.positions,
        )

    def pin_memory(self) -> UnlabeledBatch:
        """The same in memory from which tensors move to a GPU without waiting."""
        return UnlabeledBatch(
            self.teacher_images.pin_memory(),
            self.student_images.pin_memory(),
            self.flips.pin_memory(),
            self.inside.pin_memory(),
            self.pasted.pin_memory(),
            self.known.pin_memory(),
            None if self.soft_labels is None else self.soft_labels.pin_memory(),
            self.positions,
        )


def join_unlabeled(parts: Sequence[UnlabeledBatch]) -> UnlabeledBatch | None:
    """Joins batches along N; None where there are none."""
    if not parts:
        return None
    soft = [part.soft_labels for part in parts if part.soft_labels is not None]
    return UnlabeledBatch(
        torch.cat([part.teacher_images for part in parts]),
        torch.cat([part.student_images for part in parts]),
        torch.cat([part.flips for part in parts]),
        torch.cat([part.inside for part in parts]),
        torch.cat([part.pasted for part in parts]),
        torch.cat([part.known for part in parts]),
        torch.cat(soft) if soft else None,
        tuple(position for part in parts for position in part.positions),
    )
