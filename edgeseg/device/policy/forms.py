"""What the forms of a frame would take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.crops import crop_mask
from edgeseg.device.policy.candidate import Form, Offer

FIRST_GUESS = {"image": 1.6, "maps": 0.25}
"""Bytes a pixel of PNGs of level 1, until the first were made."""
FADING = 0.05


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
