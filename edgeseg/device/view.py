"""One frame with what the model said of it, in camera pixels; computed once, when a strategy first asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.deploy.fullsize import FullSize
from edgeseg.device.partition import RegionKind, components, outside
from edgeseg.device.superpixels import SUPERPIXEL_PX, grid, superpixels
from edgeseg.dropout import Maskable
from edgeseg.errors import ModelError
from edgeseg.frames import Frame
from edgeseg.modelinfo import ModelInfo

Outputs = Mapping[str, NDArray[Any]]
Infer = Callable[[NDArray[np.uint8]], Outputs]
"""Runs the model on a frame (H, W, 3), as ``Runner.infer`` does."""


class FrameView:
    """A frame, the runner's outputs, and both in one geometry.

    Args:
        frame: The camera's frame.
        outputs: Arrays by output name, as ``Runner.infer`` gives them.
        info: The model's own data.
        superpixel_px: Pixels of one region.
        infer: Runs the model once more, for strategies that look twice; None where it cannot.
        ignored: (H, W) bool, camera pixels that no label is wanted of, such as the car's own hood.
        masked: What runs the model with channel masks; None where nothing does.

    Raises:
        ModelError: ``class_map`` or ``entropy`` has another size than the model says.
    """

    def __init__(
        self,
        frame: Frame,
        outputs: Outputs,
        info: ModelInfo,
        superpixel_px: int = SUPERPIXEL_PX,
        infer: Infer | None = None,
        ignored: NDArray[np.bool_] | None = None,
        masked: Maskable | None = None,
    ) -> None:
        self.frame = frame
        self.outputs = outputs
        self.info = info
        self.superpixel_px = superpixel_px
        self.infer = infer
        self.ignored = ignored
        self.masked = masked
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
        """Entropy map (H, W) uint8, 255 = log C nats, in camera pixels; 0 where nothing was seen or is wanted."""
        return self.in_camera_pixels(self.outputs["entropy"])

    @cached_property
    def class_map(self) -> NDArray[np.uint8]:
        """Predicted train ids (H, W) uint8 by nearest neighbour; ``IGNORE_INDEX`` where nothing was seen."""
        return self._where_seen(self._full.classes(self.outputs["class_map"]), IGNORE_INDEX)

    def in_camera(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A plane of the network's size (h, w) uint8 in camera pixels (H, W), by nearest neighbour."""
        return self._full.classes(plane)

    @cached_property
    def superpixels(self) -> NDArray[np.int32]:
        """Superpixel ids (H, W) int32 of the camera's frame, -1 where no label is wanted."""
        return self._wanted(superpixels(self.frame.image, self.superpixel_px))

    @cached_property
    def mirrored(self) -> FrameView:
        """What the model says of the frame's mirror image, in the mirror's pixels.

        Raises:
            ModelError: The model cannot be run again.
        """
        image = np.ascontiguousarray(self.frame.image[:, ::-1])
        return FrameView(replace(self.frame, image=image), self.look_again(image), self.info, self.superpixel_px)

    def look_again(self, image: NDArray[np.uint8]) -> Outputs:
        """Runs the model on another image (H, W, 3).

        Raises:
            ModelError: The model cannot be run again.
        """
        if self.infer is None:
            raise ModelError(f"frame {self.frame.id}: this strategy runs the model several times; give the view infer")
        return self.infer(image)

    def regions(self, kind: RegionKind) -> NDArray[np.int32]:
        """Region ids (H, W) int32 of any kind but ``pixels``, 0 to R - 1, -1 outside all regions."""
        if kind == "superpixel":
            return self.superpixels
        if kind == "component":
            return self._wanted(components(self.class_map, self.region_side))
        height, width = self.class_map.shape
        return self._wanted(grid(height, width, self.region_side))

    @property
    def region_side(self) -> int:
        """Nominal side of a region in camera pixels."""
        return round(math.sqrt(self.superpixel_px))

    def in_camera_pixels(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Brings (h, w) uint8 to (H, W) bilinearly; 0 where nothing was seen or is wanted."""
        pixels = self._where_seen(np.rint(self._full.plane(plane.astype(np.float32))).astype(np.uint8), 0)
        return pixels if self.ignored is None else np.where(self.ignored, np.uint8(0), pixels)

    @cached_property
    def _full(self) -> FullSize:
        height, width = self.frame.image.shape[:2]
        return FullSize(self.info.preprocess, (height, width), height, width)

    def _where_seen(self, pixels: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        seen = self._full.seen()
        return pixels if seen is None else np.where(seen, pixels, np.uint8(outside))

    def _wanted(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        return labels if self.ignored is None else outside(labels, self.ignored)
