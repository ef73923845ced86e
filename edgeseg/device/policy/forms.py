"""How much of a frame is kept: all of it, its regions with context, or the maps without the image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.policy.candidate import Form, Offer

CONTEXT_PX = 24
"""What a labeler sees around a region."""
FIRST_GUESS = {"image": 1.6, "maps": 0.25}
"""Bytes a pixel of PNGs of level 1, until the first were made."""
FADING = 0.05


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


class SizeGuess:
    """What forms of a frame will take, by what earlier ones took a pixel."""

    def __init__(self) -> None:
        self._per_pixel = dict(FIRST_GUESS)
        self._learned = False

    def offers(self, forms: tuple[Form, ...], labels: NDArray[np.int32], chosen: NDArray[np.intp]) -> tuple[Offer, ...]:
        """Estimates the offers of a frame.

        Args:
            forms: Which ones.
            labels: Region ids (H, W) int32 in camera pixels.
            chosen: (K,) ids of the regions worth a label.
        """
        pixels = labels.size
        full = pixels * self._per_pixel["image"]
        maps = pixels * self._per_pixel["maps"]
        made = []
        for form in forms:
            if form == "crops":
                share = float(crop_mask(labels, chosen).mean())
                made.append(Offer(form, (full + maps) * share, len(chosen)))
            else:
                made.append(Offer(form, full + maps if form == "full" else maps, len(chosen) if form == "full" else 0))
        return tuple(made)

    def learn(self, image_bytes: int, map_bytes: int, pixels: int) -> None:
        """Takes notice of what a full frame took."""
        for name, size in (("image", image_bytes), ("maps", map_bytes)):
            share = FADING if self._learned else 1.0
            self._per_pixel[name] += share * (size / pixels - self._per_pixel[name])
        self._learned = True
