"""The best strategy that keeps the frame rate: steps down under load, says so, and later tries again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from edgeseg.device import strategies
from edgeseg.device.strategies import FrameScore, Strategy, StrategyOptions
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError
from edgeseg.progress import say

LADDER = ("superpixel-crf", "superpixel", "entropy")
"""From the best to the cheapest; a ladder begins at the strategy that was asked for."""
LOOKED_AT = 15
"""Frames of which the median time is held against the limit."""
FIRST_RETRY = 300
"""Frames after which a better strategy is tried again; twice as many after each time that it was too slow."""


class FittedStrategy:
    """A strategy that is one of several, by the time that they take.

    Args:
        ladder: From the best to the cheapest.
        limit_ms: What network and scoring may take together.

    Attributes:
        name: The strategy that scores now.
        needs: Outputs that any of them reads.

    Raises:
        ConfigError: The limit is not above 0.
    """

    def __init__(self, ladder: Sequence[Strategy], limit_ms: float) -> None:
        if limit_ms <= 0:
            raise ConfigError(f"fit_ms must be above 0, got {limit_ms}")
        self._ladder, self._limit_ms = tuple(ladder), limit_ms
        self._step = 0
        self.name = self._ladder[0].name
        self._times: deque[float] = deque(maxlen=LOOKED_AT)
        self._frames = 0
        self._retry_after = FIRST_RETRY
        self.needs = tuple(dict.fromkeys(need for strategy in ladder for need in strategy.needs))

    def score(self, view: FrameView) -> FrameScore:
        """Scores a frame by the strategy of the moment."""
        return self._ladder[self._step].score(view)

    def note(self, milliseconds: float) -> None:
        """Takes notice of the time that network and scoring took for a frame, and changes the strategy if need be."""
        self._times.append(milliseconds)
        self._frames += 1
        if len(self._times) < LOOKED_AT:
            return
        typical = median(self._times)
        if typical > self._limit_ms:
            self._step_down(typical)
        elif self._step > 0 and self._frames >= self._retry_after:
            self._move(self._step - 1, f"{typical:.0f} ms a frame leave time to try")

    def _step_down(self, typical: float) -> None:
        if self._step + 1 < len(self._ladder):
            self._retry_after = min(2 * self._retry_after, 64 * FIRST_RETRY)
            self._move(self._step + 1, f"{typical:.0f} ms a frame are above {self._limit_ms:g} ms, on to")
        elif self._frames == LOOKED_AT:
            say(
                f"fit: {typical:.0f} ms a frame are above {self._limit_ms:g} ms with {self.name}, the cheapest strategy"
            )

    def _move(self, step: int, why: str) -> None:
        former, self._step, self.name = self.name, step, self._ladder[step].name
        say(f"fit: {former}: {why} {self.name}")
        self._times.clear()
        self._frames = 0


def open_fitted(opened: ExitStack, best: str, options: StrategyOptions, limit_ms: float) -> FittedStrategy:
    """Opens the ladder that begins at a strategy.

    Args:
        opened: Closes them in the end.
        best: Its name; of one that is not in ``LADDER`` the whole of it but the CRF comes after.
        options: What they are told.
        limit_ms: What network and scoring may take together.

    Raises:
        ConfigError: The strategy is unknown, or the limit is not above 0.
    """
    below = LADDER[LADDER.index(best) + 1 :] if best in LADDER else LADDER[1:]
    ladder = [opened.enter_context(strategies.opened(name, options)) for name in (best, *below)]
    return FittedStrategy(ladder, limit_ms)
