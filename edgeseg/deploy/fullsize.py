"""Predictions at the camera's or the label's size: the network's size and placement undone.

Logits are upsampled bilinearly one class after the other, so that C×H×W never stands in memory: at
19×1024×2048 that would be 159 MB a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.preprocess import Preprocess, resize_bilinear, resize_nearest

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class FullSize:
    """How the network's (h, w) goes back to an output of ``height`` × ``width``.

    Attributes:
        preprocess: How the frame became the network's input.
        frame: (H, W) of the frame.
        height, width: Size of the output, which shows the whole frame.
    """

    preprocess: Preprocess
    frame: tuple[int, int]
    height: int
    width: int

    def plane(self, plane: Plane) -> Plane:
        """Restores (h, w) float32 bilinearly; what ``crop`` cut off repeats the border."""
        return resize_bilinear(self._uncut(plane), self.height, self.width)

    def classes(self, class_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Restores (h, w) uint8 by nearest neighbour; what ``crop`` cut off repeats the border."""
        return resize_nearest(self._uncut(class_map), self.height, self.width)

    def seen(self) -> NDArray[np.bool_] | None:
        """Which pixels of the output the network saw, (height, width); None where it saw all."""
        if self.preprocess.resize != "crop":
            return None
        place = self.preprocess.placement(*self.frame)
        both = place.within(*self.preprocess.size)
        rows = _seen_along(self.height, place.height, both.frame_rows)
        columns = _seen_along(self.width, place.width, both.frame_columns)
        mask = rows[:, None] & columns[None, :]
        return None if mask.all() else mask

    def _uncut(self, plane: NDArray[Any]) -> NDArray[Any]:
        """The plane of the scaled frame: a letterbox's border removed, a crop's margin repeated."""
        place = self.preprocess.placement(*self.frame)
        both = place.within(*self.preprocess.size)
        margins = both.cut_off(place)
        shown = plane[both.rows, both.columns]
        if not any(margins):
            return np.ascontiguousarray(shown)
        return np.asarray(cv2.copyMakeBorder(shown, *margins, borderType=cv2.BORDER_REPLICATE))


@dataclass(frozen=True)
class Prediction:
    """What a model says at full size.

    Attributes:
        classes: (H, W) uint8 train ids.
        confidence: (H, W) float32, the winner's probability in [0, 1]; None where the model gives class maps alone.
    """

    classes: NDArray[np.uint8]
    confidence: Plane | None


def predict_full_size(
    outputs: Mapping[str, NDArray[Any]], full: FullSize, temperature: float, remap: Plane | None = None
) -> Prediction:
    """Prediction at full size: of the logits, upsampled before the softmax, or else of the class map.

    Args:
        outputs: A runner's outputs of one frame.
        full: The output's size.
        temperature: Divisor of the logits; matters to the confidence, and to the classes where several are summed.
        remap: (C_model, C) of 0 and 1 that sums probabilities into other classes, None to leave them. Without
            logits it must keep every class.
    """
    if "logits" in outputs and remap is not None:
        return _remapped(outputs["logits"], full, temperature, remap)
    if "logits" in outputs:
        return _winners(outputs["logits"], full, temperature)
    class_map = outputs["class_map"]
    if remap is not None:
        class_map = remap.argmax(axis=1).astype(np.uint8)[class_map]
    return Prediction(full.classes(class_map), None)


def _winners(logits: Plane, full: FullSize, temperature: float) -> Prediction:
    classes, best = _best(logits, full)
    total = np.zeros_like(best)
    for plane in logits:
        total += _relative(full.plane(plane), best, temperature)
    return Prediction(classes, 1.0 / total)


def _remapped(logits: Plane, full: FullSize, temperature: float, remap: Plane) -> Prediction:
    best = _best(logits, full)[1]
    mass = np.zeros((remap.shape[1], full.height, full.width), np.float32)
    for row, plane in zip(remap, logits, strict=True):
        if row.any():
            mass[int(row.argmax())] += _relative(full.plane(plane), best, temperature)
    # Where only dropped classes have mass in float32, any kept one is as good, and its confidence is 0.
    total = np.maximum(mass.sum(axis=0), np.finfo(np.float32).tiny)
    return Prediction(mass.argmax(axis=0).astype(np.uint8), mass.max(axis=0) / total)


def _best(logits: Plane, full: FullSize) -> tuple[NDArray[np.uint8], Plane]:
    """Class with the largest logit, the first of equals, and that logit."""
    # A copy, because a plane that needs no resizing is the logits' own memory.
    best = full.plane(logits[0]).copy()
    classes = np.zeros(best.shape, np.uint8)
    for index, plane in enumerate(logits[1:], start=1):
        scaled = full.plane(plane)
        np.copyto(classes, np.uint8(index), where=scaled > best)
        np.maximum(best, scaled, out=best)
    return classes, best


def _relative(plane: Plane, best: Plane, temperature: float) -> Plane:
    difference = np.subtract(plane, best)
    difference /= np.float32(temperature)
    return np.exp(difference, out=difference)


def _seen_along(length: int, scaled: int, kept: slice) -> NDArray[np.bool_]:
    centres = (np.arange(length) + 0.5) * scaled / length
    return np.asarray((centres >= kept.start) & (centres < kept.stop))
