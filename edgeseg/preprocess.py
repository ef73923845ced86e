"""Frame → network input, as data that travels with a model. Nothing about it is ever typed twice.

Bilinear interpolation is always without antialiasing and with half-pixel centres, as
``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`` and ONNX ``Resize`` do it, so
that training, evaluation and the deployed graph see the same pixels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError, DataError

ResizeMode = Literal["stretch", "letterbox", "crop"]
ChannelOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Placement:
    """Where a frame lands in the network's input: scaled by its size, then set at an offset.

    Attributes:
        height, width: Size of the scaled frame in pixels.
        top, left: Offset of the scaled frame in the input; negative where its border is cut off.
    """

    height: int
    width: int
    top: int
    left: int

    def within(self, height: int, width: int) -> Overlap:
        """What an input of this size and the scaled frame share."""
        rows, frame_rows = _shared(self.top, self.height, height)
        columns, frame_columns = _shared(self.left, self.width, width)
        return Overlap(rows, columns, frame_rows, frame_columns)


class Overlap(NamedTuple):
    """Where the network's input and the scaled frame cover each other.

    Attributes:
        rows, columns: Of the input.
        frame_rows, frame_columns: Of the scaled frame.
    """

    rows: slice
    columns: slice
    frame_rows: slice
    frame_columns: slice

    def cut_off(self, place: Placement) -> tuple[int, int, int, int]:
        """Rows and columns of the scaled frame that the input does not show: top, bottom, left, right."""
        rows, columns = self.frame_rows, self.frame_columns
        return rows.start, place.height - rows.stop, columns.start, place.width - columns.stop


@dataclass(frozen=True)
class Preprocess:
    """How a camera frame becomes the network's input.

    Attributes:
        height, width: Size of the network's input in pixels.
        mean, std: Per channel, in units of 0 to 1, in the network's channel order:
            ``input = (frame / 255 - mean) / std``.
        channel_order: What the network was trained on.
        resize: ``stretch`` ignores the frame's shape, ``letterbox`` keeps it and fills the border with
            the mean (zero after normalisation), ``crop`` keeps it and cuts what sticks out.
    """

    height: int
    width: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channel_order: ChannelOrder = "rgb"
    resize: ResizeMode = "stretch"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"size must be positive, got {self.height}x{self.width}")
        if any(s <= 0 for s in self.std):
            raise ConfigError(f"std must be positive, got {self.std}")
        if self.resize not in ("stretch", "letterbox", "crop"):
            raise ConfigError(f"resize must be stretch, letterbox or crop, got {self.resize!r}")
        if self.channel_order not in ("rgb", "bgr"):
            raise ConfigError(f"channel_order must be rgb or bgr, got {self.channel_order!r}")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self.height, self.width

    def placement(self, frame_height: int, frame_width: int) -> Placement:
        """Where a frame of this size lands in the input."""
        if self.resize == "stretch":
            return Placement(self.height, self.width, 0, 0)
        ratios = self.height / frame_height, self.width / frame_width
        ratio = min(ratios) if self.resize == "letterbox" else max(ratios)
        height, width = max(1, round(frame_height * ratio)), max(1, round(frame_width * ratio))
        return Placement(height, width, (self.height - height) // 2, (self.width - width) // 2)

    def apply(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Makes the network's input.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            (3, height, width) float32, normalised, in the network's channel order.

        Raises:
            DataError: The frame is not (H, W, 3) uint8.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise DataError(f"a frame must be (H, W, 3) uint8 RGB, got {frame.shape} {frame.dtype}")
        placement = self.placement(frame.shape[0], frame.shape[1])
        scaled = resize_bilinear(frame.astype(np.float32), placement.height, placement.width)
        if self.channel_order == "bgr":
            scaled = scaled[:, :, ::-1]
        gain = 1.0 / (255.0 * np.asarray(self.std, np.float32))
        offset = np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        planes = np.ascontiguousarray((scaled * gain - offset).transpose(2, 0, 1), dtype=np.float32)
        return planes if self.resize == "stretch" else self._set(planes, placement)

    def _set(self, planes: NDArray[np.float32], place: Placement) -> NDArray[np.float32]:
        canvas = np.zeros((3, self.height, self.width), np.float32)
        both = place.within(*self.size)
        canvas[:, both.rows, both.columns] = planes[:, both.frame_rows, both.frame_columns]
        return canvas

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; ``from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Preprocess:
        """Reads the plain form.

        Raises:
            ConfigError: A key is missing, unknown or of the wrong kind.
        """
        try:
            triples = {key: tuple(float(x) for x in plain[key]) for key in ("mean", "std")}
            return cls(**{**plain, **triples})
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"preprocessing is malformed: {error!r}") from None


def as_batch(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Checks frames (N, H, W, 3) uint8 and makes them contiguous and writable, as runtimes want them.

    Raises:
        DataError: Another shape or dtype.
    """
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise DataError(f"a frame must be (H, W, 3) uint8 RGB, got {frames.shape[1:]} {frames.dtype}")
    return np.require(frames, requirements=("C", "W"))


def _shared(offset: int, length: int, limit: int) -> tuple[slice, slice]:
    """Where ``length`` pixels set at ``offset`` fall inside ``limit``: (slice of the limit, slice of the length)."""
    start, stop = max(0, offset), min(limit, offset + length)
    return slice(start, stop), slice(start - offset, stop - offset)


def resize_bilinear(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Resizes (H, W) or (H, W, C) float32 with half-pixel centres, without antialiasing."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def resize_nearest(label: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resizes a class map (H, W) uint8 by the nearest neighbour of each half-pixel centre."""
    if label.shape[:2] == (height, width):
        return label
    return np.asarray(cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
