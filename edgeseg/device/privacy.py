"""Blurring people and cars before anything of a frame is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError

BOX = ":box"
CELL_PX = 8
"""Side of a cell of ``cell_probs`` in the network's pixels."""
MARGIN_PX = 8
"""The network's outlines are a few pixels off, and a face must not look out."""
LEAST_BLOCKS = 6
"""So many blocks along the longer side of what is blurred: too few to know anybody by."""
BLOCK_PX = 24
"""Smallest block, so that small regions keep nothing either."""


@dataclass(frozen=True)
class Blur:
    """Which classes are blurred.

    Attributes:
        masks: Train ids whose pixels are blurred.
        boxes: Train ids whose regions are blurred by their bounding boxes, such as cars, for the sake of the plates.
        names: The classes' names, as they were given.
        probability: Where the model gives cell probabilities, a cell that has one of the classes with at least this
            is blurred too, although another class won; in (0, 1].
    """

    masks: tuple[int, ...]
    boxes: tuple[int, ...]
    names: tuple[str, ...]
    probability: float = 0.2

    @classmethod
    def parse(cls, texts: Sequence[str], class_map: ClassMap, probability: float = 0.2) -> Blur:
        """Reads ``person`` and ``car:box``.

        Raises:
            ConfigError: A class is unknown to the model.
        """
        ids = {name: number for number, name in enumerate(class_map.names)}
        names = [text.removesuffix(BOX) for text in texts]
        unknown = [name for name in names if name not in ids]
        if unknown:
            raise ConfigError(f"--blur {unknown[0]}: the model has no such class; it has {', '.join(ids)}")
        masks = tuple(ids[name] for name, text in zip(names, texts, strict=True) if not text.endswith(BOX))
        boxes = tuple(ids[name] for name, text in zip(names, texts, strict=True) if text.endswith(BOX))
        return cls(masks, boxes, tuple(texts), probability)

    def apply(self, view: FrameView) -> NDArray[np.uint8]:
        """The frame (H, W, 3) uint8 RGB with every such region blurred; the frame itself where there is none."""
        hidden = self._hidden(view, self.masks) | _boxed(self._hidden(view, self.boxes))
        # Nobody knows who stands where the model did not look.
        hidden |= view.class_map == IGNORE_INDEX
        if not hidden.any():
            return view.frame.image
        side = 2 * MARGIN_PX + 1
        hidden = cv2.dilate(hidden.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
        return pixelated(view.frame.image, hidden)

    def _hidden(self, view: FrameView, ids: tuple[int, ...]) -> NDArray[np.bool_]:
        hidden = np.isin(view.class_map, ids)
        if ids and "cell_probs" in view.outputs:
            likely = view.outputs["cell_probs"][list(ids)].max(0) >= round(255 * self.probability)
            if likely.any():
                height, width = view.info.preprocess.size
                cells = likely.astype(np.uint8).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
                cells = np.pad(cells, ((0, CELL_PX), (0, CELL_PX)), mode="edge")[:height, :width]
                hidden |= view.in_camera(np.ascontiguousarray(cells)).astype(bool)
        return hidden


def pixelated(image: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """An image whose hidden pixels show the mean of their block; the block grows with the region.

    Args:
        image: (H, W, 3) uint8.
        hidden: (H, W).
    """
    out = image.copy()
    count, _, boxes, _ = cv2.connectedComponentsWithStats(hidden.astype(np.uint8), connectivity=8)
    for x, y, width, height, _ in boxes[1:count]:
        part, inside = image[y : y + height, x : x + width], hidden[y : y + height, x : x + width]
        block = max(BLOCK_PX, max(width, height) // LEAST_BLOCKS)
        small = (max(1, round(width / block)), max(1, round(height / block)))
        mean = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(mean, (int(width), int(height)), interpolation=cv2.INTER_NEAREST)
        out[y : y + height, x : x + width][inside] = coarse[inside]
    return out


def _boxed(regions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fills the bounding box of each connected region, (H, W)."""
    count, _, boxes, _ = cv2.connectedComponentsWithStats(regions.astype(np.uint8), connectivity=8)
    filled = np.zeros_like(regions)
    for x, y, width, height, _ in boxes[1:count]:
        filled[y : y + height, x : x + width] = True
    return filled
