"""One frame with what the model said of it, in camera pixels; computed once, when a strategy first asks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.deploy.fullsize import FullSize
from edgeseg.device.superpixels import SUPERPIXEL_PX, superpixels
from edgeseg.errors import ModelError
from edgeseg.frames import Frame
from edgeseg.modelinfo import ModelInfo


class FrameView:
    """A frame, the runner's outputs, and both in one geometry.

    Args:
        frame: The camera's frame.
        outputs: Arrays by output name, as ``Runner.infer`` gives them.
        info: The model's own data.
        superpixel_px: Pixels of one superpixel.

    Raises:
        ModelError: ``class_map`` or ``entropy`` has another size than the model says.
    """

    def __init__(
        self, frame: Frame, outputs: Mapping[str, NDArray[Any]], info: ModelInfo, superpixel_px: int = SUPERPIXEL_PX
    ) -> None:
        self.frame = frame
        self.outputs = outputs
        self.info = info
        self.superpixel_px = superpixel_px
        for name in ("class_map", "entropy"):
            if name in outputs and outputs[name].shape != info.preprocess.size:
                raise ModelError(
                    f"frame {frame.id}: the model's {name} is {outputs[name].shape}, but its metadata says "
                    f"{info.preprocess.size}; export it again"
                )

    @property
    def nats_per_step(self) -> float:
        """Nats that one step of the uint8 entropy map stands for: log C / 255."""
        return math.log(max(self.info.class_map.num_classes, 2)) / 255

    @cached_property
    def entropy(self) -> NDArray[np.uint8]:
        """Entropy map (H, W) uint8, 255 = log C nats, brought to camera pixels bilinearly; 0 where nothing was seen."""
        plane = self._full.plane(self.outputs["entropy"].astype(np.float32))
        return self._where_seen(np.rint(plane).astype(np.uint8), 0)

    @cached_property
    def class_map(self) -> NDArray[np.uint8]:
        """Predicted train ids (H, W) uint8 by nearest neighbour; ``IGNORE_INDEX`` where nothing was seen."""
        return self._where_seen(self._full.classes(self.outputs["class_map"]), IGNORE_INDEX)

    @cached_property
    def superpixels(self) -> NDArray[np.int32]:
        """Superpixel ids (H, W) int32 of the camera's frame at its full size."""
        return superpixels(self.frame.image, self.superpixel_px)

    @cached_property
    def _full(self) -> FullSize:
        height, width = self.frame.image.shape[:2]
        return FullSize(self.info.preprocess, (height, width), height, width)

    def _where_seen(self, pixels: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        seen = self._full.seen()
        return pixels if seen is None else np.where(seen, pixels, np.uint8(outside))
