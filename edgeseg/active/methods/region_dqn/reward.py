"""What a step of labeling was worth."""

from __future__ import annotations

from collections.abc import Callable


class Rewards:
    """100 · (mIoU_t − mIoU_{t−1}), in points of mIoU on frames held for it.

    The mIoU before the first step is measured: from 0, as in the authors' code, the first step would be paid for all
    that the network knew before.

    Args:
        measure: mIoU in [0, 1] of the network as it is now.
    """

    def __init__(self, measure: Callable[[], float]) -> None:
        self._measure = measure
        self.before = measure()

    def step(self) -> float:
        """The reward of what was learned since the last call, or since the beginning."""
        now = self._measure()
        reward, self.before = 100 * (now - self.before), now
        return reward
