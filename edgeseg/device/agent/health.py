"""What goes wrong with a camera, a clock or a machine: noticed, counted, and told when it begins and ends."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from edgeseg.config import STRICT
from edgeseg.device.items import WRITTEN_IN
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame
from edgeseg.progress import say, warn

Trouble = Literal["black", "frozen", "size", "clock", "memory"]
UNFIT: Final[frozenset[Trouble]] = frozenset(("black", "frozen"))
"""What makes a frame worthless."""
CURES: Final[dict[Trouble, str]] = {
    "black": "frames are black; is the lens covered, or the camera's exposure off?",
    "frozen": "the camera gives the same frame again and again; does it need a restart?",
    "size": "frames have another size than before, or than the model was made for; check the camera's settings",
    "clock": "this machine's clock is not set, or was set back; records say so, set it by GPS or NTP",
    "memory": "memory is running out; give the machine more, or run less beside this",
}
CGROUP: Final = Path("/sys/fs/cgroup")
STEP_PX: Final = 8
"""Every so many pixels are looked at."""
YEAR_S: Final = 365.2425 * 86400


@dataclass(frozen=True)
class HealthSettings:
    """From when on something counts as trouble.

    Attributes:
        black_level: A pixel is black up to this, of 255.
        black_share: A frame is black with this share of black pixels.
        frozen_frames: So many equal frames after a first one mean a frozen camera.
        min_memory_mb: Memory that must be available.
        drop_unfit: Neither score nor keep black and frozen frames.
    """

    black_level: int = 16
    black_share: float = 0.995
    frozen_frames: int = 3
    min_memory_mb: int = 150
    drop_unfit: bool = False

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if not 0 <= self.black_level <= 255:
            raise ConfigError(f"black_level must be 0 to 255, got {self.black_level}")
        if not 0 < self.black_share <= 1:
            raise ConfigError(f"black_share must be above 0 and at most 1, got {self.black_share}")
        if self.frozen_frames < 1:
            raise ConfigError(f"frozen_frames must be 1 or more, got {self.frozen_frames}")


class Health:
    """Looks at every frame.

    Args:
        settings: From when on something counts.
        frame_size: (H, W) that the model was made for, None for any.
        available_mb: Memory that is left; asked once a second.

    Attributes:
        counts: Frames by trouble; for ``memory``, seconds.
    """

    def __init__(
        self,
        settings: HealthSettings,
        frame_size: tuple[int, int] | None = None,
        available_mb: Callable[[], float] = lambda: available_memory_mb(),
    ) -> None:
        self.counts: Counter[Trouble] = Counter()
        self._settings = settings
        self._frame_size = frame_size
        self._available_mb = available_mb
        self._now: set[Trouble] = set()
        self._print: int | None = None
        self._repeats = 0
        self._wall_time_s: float | None = None
        self._next_memory_s = 0.0
        self._memory_short = False

    def expect(self, frame_size: tuple[int, int] | None) -> None:
        """Takes the (H, W) of another model; None for any, of which the next frame's becomes the one expected."""
        self._frame_size = frame_size

    def look(self, frame: Frame) -> frozenset[Trouble]:
        """What is wrong as this frame comes."""
        small = frame.image[::STEP_PX, ::STEP_PX]
        found: dict[Trouble, bool] = {
            "black": float((small.max(2) <= self._settings.black_level).mean()) >= self._settings.black_share,
            "frozen": self._is_frozen(small),
            "size": self._is_other_size(frame),
            "clock": self._is_clock_off(frame),
            "memory": self._is_memory_short(),
        }
        self._tell({trouble for trouble, there in found.items() if there}, frame)
        return frozenset(self._now)

    def is_unfit(self, troubles: frozenset[Trouble]) -> bool:
        """Whether a frame with these troubles is to be left out."""
        return self._settings.drop_unfit and bool(troubles & UNFIT)

    def _tell(self, found: set[Trouble], frame: Frame) -> None:
        for trouble in found - self._now:
            warn(f"{trouble}, from frame {frame.id} on: {CURES[trouble]}")
        for trouble in self._now - found:
            say(f"{trouble}: over at frame {frame.id}, {self.counts[trouble]} so far")
        self._now = found
        self.counts.update(found - {"memory"})

    def _is_frozen(self, small: NDArray[np.uint8]) -> bool:
        seen = zlib.crc32(np.ascontiguousarray(small).data)
        self._repeats = self._repeats + 1 if seen == self._print else 0
        self._print = seen
        return self._repeats >= self._settings.frozen_frames

    def _is_other_size(self, frame: Frame) -> bool:
        height, width = frame.image.shape[:2]
        if self._frame_size is None:
            self._frame_size = (height, width)
        return (height, width) != self._frame_size

    def _is_clock_off(self, frame: Frame) -> bool:
        before, self._wall_time_s = self._wall_time_s, frame.wall_time_s
        if frame.wall_time_s is None:
            return False
        unset = frame.wall_time_s < (WRITTEN_IN - 1970) * YEAR_S
        return unset or (before is not None and frame.wall_time_s < before)

    def _is_memory_short(self) -> bool:
        now = time.monotonic()
        if now >= self._next_memory_s:
            self._next_memory_s = now + 1
            self._memory_short = self._available_mb() < self._settings.min_memory_mb
            self.counts["memory"] += self._memory_short
        return self._memory_short


def available_memory_mb() -> float:
    """Memory that this process may still take, in MB: of the machine, or of its container where that has less."""
    free = psutil.virtual_memory().available
    try:
        most, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, most - used)
    except (OSError, ValueError):
        pass  # no container, or one without a limit
    return free / 1e6
