"""What runners of exported models share, whatever the runtime: frames in, checked and prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.runners.base import require_frames
from edgeseg.dropout import MaskedLayer, all_kept
from edgeseg.errors import ConfigError
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import as_batch
from edgeseg.staged import Staged


class ExportedRunner(Staged):
    """The part of ``StagedRunner`` that needs no runtime.

    Attributes:
        info: What the model carries.
        export: How it was exported.
    """

    info: ModelInfo
    export: ExportRecord
    _path: Path
    _masks: NDArray[np.float32] | None = None

    @property
    def mask_layers(self) -> tuple[MaskedLayer, ...]:
        """Layers that the model's input of channel masks masks; empty where it has none."""
        return self.export.mask_layers

    def infer_masked(self, frame: NDArray[np.uint8], masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Runs one frame (H, W, 3) with channel masks (K,) on ``mask_layers``; arrays without the batch axis."""
        self._masks = masks[None]
        try:
            return self.infer(frame)
        finally:
            self._masks = None

    def fed(self, prepared: NDArray[Any]) -> list[NDArray[Any]]:
        """What the graph's inputs get: prepared frames (N, ...), and masks, all kept but in ``infer_masked``."""
        if not self.mask_layers:
            return [prepared]
        return [prepared, all_kept(self.mask_layers, len(prepared)) if self._masks is None else self._masks]

    def fixed_size(self, expected: tuple[int, int] | None, made: str = "exported") -> tuple[int, int]:
        """(height, width) that the model was made for.

        Args:
            expected: None for any.
            made: How it was, for the message.

        Raises:
            ConfigError: Another one is expected.
        """
        size = self.info.preprocess.size
        if expected is not None and expected != size:
            raise ConfigError(
                f"{self._path}: {made} for --size {size[0]}x{size[1]}, not {expected[0]}x{expected[1]}; export it again"
            )
        return size

    def prepare(self, frames: NDArray[np.uint8]) -> NDArray[Any]:
        """Checks the frames; preprocesses them where the model does not do it itself."""
        frames = as_batch(frames)
        require_frames(self.export, frames, str(self._path))
        if self.export.outputs == "graph":
            return frames
        return np.stack([self.info.preprocess.apply(frame) for frame in frames])
