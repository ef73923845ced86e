"""Frames to try a model on: a dataset's where there is one, otherwise drawn ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.errors import DataError

SYNTHETIC = "synthetic: colour gradients with noise"


def dataset_frames(spec: str, count: int, size: tuple[int, int] | None = None) -> list[NDArray[np.uint8]]:
    """The first images of a dataset, (H, W, 3) uint8 RGB.

    Args:
        spec: ``LAYOUT:PATH[#SPLIT]``.
        count: At most so many.
        size: (H, W) to which they are scaled, None to leave them as they are.

    Raises:
        DataError: The dataset is empty or cannot be read.
    """
    dataset = datasets.open(spec)
    if len(dataset) == 0:
        raise DataError(f"{spec}: holds no images to compare on")
    frames = [dataset.image(index) for index in range(min(count, len(dataset)))]
    return frames if size is None else [scaled(frame, size) for frame in frames]


def synthetic_frame(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draws a colour gradient with noise, (height, width, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    rows, columns = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    mix = rng.uniform(-1, 1, (2, 1, 1, 3))
    drawn = 127 + 90 * (mix[0] * rows + mix[1] * columns) + rng.normal(0, 25, (height, width, 3))
    return np.asarray(np.clip(drawn, 0, 255), np.uint8)


def scaled(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scales a frame (H, W, 3) uint8 to another (H, W), averaging where it shrinks."""
    if frame.shape[:2] == size:
        return frame
    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)
