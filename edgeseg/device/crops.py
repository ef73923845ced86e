"""The chosen regions of a frame with context around them, in the frame's own geometry."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CONTEXT_PX = 24
"""What a labeler sees around a region."""


def crop_mask(labels: NDArray[np.int32], chosen: NDArray[np.intp], context_px: int = CONTEXT_PX) -> NDArray[np.bool_]:
    """The chosen regions with context around them.

    Args:
        labels: (H, W) int32, 0 to R - 1, -1 outside all regions.
        chosen: (K,) region ids.
        context_px: How far it reaches beyond them.

    Returns:
        (H, W) bool.
    """
    # The last entry is what label -1 points at.
    table = np.zeros(int(labels.max()) + 2, np.uint8)
    table[chosen] = 1
    side = 2 * context_px + 1
    return cv2.dilate(table[labels], np.ones((side, side), np.uint8)).astype(bool)


def blank_outside(image: NDArray[np.uint8], mask: NDArray[np.bool_], value: int = 0) -> NDArray[np.uint8]:
    """The image (H, W[, C]) uint8 with one value outside of the mask (H, W): geometry stays, bytes go."""
    outside = ~mask if image.ndim == 2 else ~mask[:, :, None]
    return np.where(outside, np.uint8(value), image)
