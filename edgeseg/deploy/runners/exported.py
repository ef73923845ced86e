"""What runners of exported models share, whatever the runtime: frames in, checked and prepared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.runners.base import require_frames
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import as_batch

Self = TypeVar("Self", bound="ExportedRunner")


class ExportedRunner(ABC):
    """The part of ``StagedRunner`` that needs no runtime.

    Attributes:
        info: What the model carries.
        export: How it was exported.
    """

    info: ModelInfo
    export: ExportRecord
    _path: Path

    def infer(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs one frame (H, W, 3) uint8 RGB; arrays by output name, without the batch axis."""
        return {name: array[0] for name, array in self.infer_batch(frame[None]).items()}

    def infer_batch(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs frames (N, H, W, 3) uint8 RGB; arrays by output name, with the batch axis.

        Raises:
            DataError: The frames are not what the model was exported for.
        """
        return self.analyse(self.prepare(frames), (frames.shape[1], frames.shape[2]))

    def prepare(self, frames: NDArray[np.uint8]) -> NDArray[Any]:
        """Checks the frames; preprocesses them where the model does not do it itself."""
        frames = as_batch(frames)
        require_frames(self.export, frames, str(self._path))
        if self.export.outputs == "graph":
            return frames
        return np.stack([self.info.preprocess.apply(frame) for frame in frames])

    @abstractmethod
    def analyse(self, prepared: NDArray[Any], frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Runs the model; arrays by output name, with the batch axis."""

    @abstractmethod
    def close(self) -> None:
        """Frees the runtime's memory."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
