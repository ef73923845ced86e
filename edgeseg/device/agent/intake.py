"""Frames as they come, at their own pace: what cannot be taken in time is dropped by a stated rule, and counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame, FrameSource

CLOSES_WITHIN_S = 2.0
Drop = Literal["oldest", "newest"]


@dataclass(frozen=True)
class IntakeSettings:
    """How frames come in.

    Attributes:
        rate: Play a recorded source at this many frames a second, as a camera would give them; None to take each
            frame when the last one is done.
        buffer: Frames that may wait, from a live source or one with a rate.
        drop: Which frame goes when the buffer is full: the ``oldest``, so that what is scored is what is seen now,
            or the ``newest``.
        reconnect: Open a live source again whenever it is lost, also when it is not there at the start.
    """

    rate: float | None = None
    buffer: int = 2
    drop: Drop = "oldest"
    reconnect: bool = False

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise ConfigError(f"rate must be above 0 frames a second, got {self.rate}")
        if self.buffer < 1:
            raise ConfigError(f"buffer must be 1 or more frames, got {self.buffer}")
        if self.drop not in ("oldest", "newest"):
            raise ConfigError(f"drop must be oldest or newest, got {self.drop!r}")


class Intake:
    """A source read by a thread of its own into a short buffer.

    Args:
        source: The source.
        settings: How frames come in.
        stopping: Ends the frames, those in the buffer included.

    Attributes:
        late: Frames that were dropped.
    """

    def __init__(self, source: FrameSource, settings: IntakeSettings, stopping: Callable[[], bool]) -> None:
        self.late = 0
        self._source = source
        self._settings = settings
        self._stopping = stopping
        self._waiting: deque[Frame] = deque()
        self._turn = threading.Condition()
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        self._reader: threading.Thread | None = None

    def close(self) -> None:
        """Lets the reading thread end; one that a camera holds is left behind after a while."""
        self._closed = True
        if self._reader is not None:
            self._reader.join(CLOSES_WITHIN_S)

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames; raises what the source raised, after the frames before."""
        self._reader = threading.Thread(target=self._read, name="intake", daemon=True)
        self._reader.start()
        while (frame := self._next()) is not None:
            yield frame
        if self._error is not None and not self._stopping():
            raise self._error

    def _next(self) -> Frame | None:
        with self._turn:
            while not self._waiting:
                if self._ended or self._stopping():
                    return None
                self._turn.wait(0.1)
            return None if self._stopping() else self._waiting.popleft()

    def _read(self) -> None:
        start = time.monotonic()
        try:
            for number, frame in enumerate(self._source):
                self._keep_pace(start, number)
                if self._closed or self._stopping():
                    return
                self._offer(frame)
        except BaseException as error:  # the consumer raises it
            self._error = error
        finally:
            with self._turn:
                self._ended = True
                self._turn.notify()

    def _keep_pace(self, start: float, number: int) -> None:
        if self._settings.rate is not None:
            time.sleep(max(0.0, start + number / self._settings.rate - time.monotonic()))

    def _offer(self, frame: Frame) -> None:
        with self._turn:
            if len(self._waiting) >= self._settings.buffer:
                self.late += 1
                if self._settings.drop == "newest":
                    return
                self._waiting.popleft()
            self._waiting.append(frame)
            self._turn.notify()
