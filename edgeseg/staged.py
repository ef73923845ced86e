"""What models on any runtime share: a call is preparation, then analysis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Self = TypeVar("Self", bound="Staged")


class Staged(ABC):
    """The part of ``deploy.runners.base.StagedRunner`` that follows from its two stages."""

    def infer(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs one frame (H, W, 3) uint8 RGB; arrays by output name, without the batch axis."""
        return {name: array[0] for name, array in self.infer_batch(frame[None]).items()}

    def infer_batch(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs frames (N, H, W, 3) uint8 RGB; arrays by output name, with the batch axis.

        Raises:
            DataError: The frames are not what the model takes.
        """
        return self.analyse(self.prepare(frames), (frames.shape[1], frames.shape[2]))

    @abstractmethod
    def prepare(self, frames: NDArray[np.uint8]) -> Any:
        """Makes what the runtime takes of frames (N, H, W, 3) uint8 RGB."""

    @abstractmethod
    def analyse(self, prepared: Any, frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Runs the model on prepared frames of this (H, W); arrays by output name, with the batch axis."""

    @abstractmethod
    def close(self) -> None:
        """Frees the runtime's memory."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
