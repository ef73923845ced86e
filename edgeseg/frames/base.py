"""What every source gives, and what is done to each frame on the way."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.preprocess import ChannelOrder

ROTATIONS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Frame:
    """One captured image.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright, contiguous.
        id: Name within its source: path relative to the folder or dataset without the extension, or
            ``NAME_000042`` for frame 42 of a video or camera.
        index: Number within the source, from 0, counting frames that were left out by ``every``.
        timestamp_s: Seconds since the source's start (video time, or the monotonic clock of a live
            source); None for stills.
        source: The source's description.
        wall_time_s: Seconds since 1970 by this machine's clock when a live source gave the frame; None
            for recorded ones, whose time of capture nobody knows here.
    """

    image: NDArray[np.uint8]
    id: str
    index: int
    timestamp_s: float | None
    source: str
    wall_time_s: float | None = None


@dataclass(frozen=True)
class Reading:
    """How frames are taken from a source; ``edgeseg.frames.open_source`` describes the fields."""

    every: int = 1
    rotation: int = 0
    channel_order: ChannelOrder = "rgb"
    skip_broken: bool = False

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every must be 1 or more, got {self.every}")
        if self.rotation not in ROTATIONS:
            raise ConfigError(f"rotation must be 0, 90, 180 or 270 degrees clockwise, got {self.rotation}")
        if self.channel_order not in ("rgb", "bgr"):
            raise ConfigError(f"channel_order must be rgb or bgr, got {self.channel_order!r}")

    def upright(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turns and reorders a frame (H, W, 3) uint8 as the source's description says."""
        if self.channel_order == "bgr":
            image = image[:, :, ::-1]
        # np.rot90 turns counter-clockwise.
        return np.ascontiguousarray(np.rot90(image, -self.rotation // 90))


class FrameSource(abc.ABC):
    """Frames in their order; iterating again begins anew.

    Attributes:
        spec: The source's description as it was given.
        skipped: Images that could not be read during the last iteration, where reading goes on after them.
    """

    def __init__(self, spec: str, reading: Reading) -> None:
        self.spec = spec
        self.reading = reading
        self.skipped = 0

    def end(self) -> None:  # noqa: B027
        """Ends the waits of a source that would go on for ever; others end by themselves."""

    @property
    @abc.abstractmethod
    def length(self) -> int | None:
        """Number of frames to expect, None where nobody knows (a camera)."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames.

        Raises:
            DataError: A frame cannot be read, or none could.
        """
