"""Frames as the autoencoder sees them: small, and of mean 0 and variance 1 in each colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.active.methods.adversarial.networks import FRAME


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrinks an image (H, W, 3) uint8 to (3, 64, 96), averaging over what each pixel stands for."""
    small = cv2.resize(image, (FRAME[1], FRAME[0]), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1), np.uint8)


@dataclass(frozen=True)
class SmallFrames:
    """All frames of a round in memory.

    A reconstruction error of 1 is then what the mean colours alone would reach, whatever the drive looks like.

    Attributes:
        pixels: (N, 3, 64, 96) uint8.
        mean, std: (3,) float32 over all of them.
    """

    pixels: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, images: Iterable[NDArray[np.uint8]]) -> SmallFrames:
        """Shrinks images (H, W, 3) uint8 of any size, one at a time."""
        pixels = np.stack([shrink(image) for image in images])
        shares = np.stack([np.bincount(pixels[:, c].ravel(), minlength=256) for c in range(3)]) / pixels[:, 0].size
        levels = np.arange(256)
        mean = shares @ levels
        # One constant colour has no variance to divide by.
        std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 1.0))
        return cls(torch.from_numpy(pixels), *(torch.from_numpy(x.astype(np.float32)) for x in (mean, std)))

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Tensor) -> Tensor:
        """The chosen frames, (M, 3, 64, 96) float32, standardised."""
        return (self.pixels[indices].float() - self.mean[:, None, None]) / self.std[:, None, None]
