"""A live source that is opened again whenever it is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from edgeseg.errors import DataError
from edgeseg.frames.base import Frame, FrameSource, Reading
from edgeseg.progress import say, warn

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0


class Reconnecting(FrameSource):
    """Frames of a live source, numbered on over every connection; it never ends by itself.

    Args:
        spec: The source's description, without secrets.
        open_again: Opens the source.

    Attributes:
        reconnects: How often it was lost.
    """

    def __init__(self, spec: str, open_again: Callable[[], FrameSource]) -> None:
        super().__init__(spec, Reading())
        self.reconnects = 0
        self._open = open_again
        self._ending = threading.Event()

    def end(self) -> None:
        """Ends the waits, and then the frames."""
        self._ending.set()

    @property
    def length(self) -> None:
        """Nobody knows."""
        return None

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames; after a loss with a warning, and a growing, jittered wait."""
        failures, count, seconds = 0, 0, 0.0
        while not self._ending.is_set():
            first, start_s = count, seconds
            try:
                for frame in self._open():
                    if failures:
                        say(f"{self.spec}: gives frames again")
                    failures, seconds = 0, start_s + (frame.timestamp_s or 0.0)
                    count = first + frame.index + 1
                    name = f"{frame.id.rpartition('_')[0]}_{count - 1:06d}"
                    yield replace(frame, id=name, index=count - 1, timestamp_s=seconds)
            except DataError as error:
                warn(f"{error}; it is tried again")
            else:
                warn(f"{self.spec}: ended; it is tried again")
            failures, self.reconnects = failures + 1, self.reconnects + 1
            bound_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failures - 1))
            self._ending.wait(random.uniform(bound_s / 2, bound_s))
