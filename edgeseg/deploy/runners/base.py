"""What every runner is: a model on some runtime that takes a camera's frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import ExportRecord
from edgeseg.dropout import MASKS_INPUT, maskable
from edgeseg.errors import DataError, ModelError
from edgeseg.modelinfo import ModelInfo

_EMITTED = {
    "logits": "logits",
    "top2_classes": "top2",
    "top2_probs": "top2",
    "features": "features",
    MASKS_INPUT: "dropout-masks",
}
"""What a task may need → the value of ``--emit`` that adds it."""


class Runner(Protocol):
    """A model that is ready to run.

    Attributes:
        info: What the model carries with its weights.
        digest: SHA-256 of the model file.
        backend: Name of the runtime.
        size: (h, w) of the network's input, and of every pixel-wise output.
        output_names: What ``infer`` gives.
    """

    info: ModelInfo
    digest: str
    backend: str
    size: tuple[int, int]
    output_names: tuple[str, ...]

    def infer(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs one frame (H, W, 3) uint8 RGB.

        Returns:
            Arrays by output name, without the batch axis; shapes, dtypes and units as the deployed
            graph documents them. They stay valid after the next call.

        Raises:
            DataError: The frame is not what the model takes.
        """
        ...

    def infer_batch(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Runs frames (N, H, W, 3) uint8 RGB; arrays by output name, with the batch axis.

        Raises:
            DataError: The frames are not what the model takes.
        """
        ...

    def close(self) -> None:
        """Frees the runtime's memory; the runner cannot be used afterwards."""
        ...

    def __enter__(self) -> Runner:
        """Opens nothing: a runner is ready when it is made."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the runner."""
        ...


class StagedRunner(Runner, Protocol):
    """A runner whose work on the host can be told apart, for the benchmark; ``infer_batch`` is one after the other."""

    def prepare(self, frames: NDArray[np.uint8]) -> Any:
        """What happens to frames (N, H, W, 3) uint8 RGB before the runtime gets them."""
        ...

    def analyse(self, prepared: Any, frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """The rest, for frames of this (H, W); arrays by output name, with the batch axis."""
        ...


class PipelinedRunner(StagedRunner, Protocol):
    """A runner that can be given the next frames before it has answered for the last."""

    def stream(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[dict[str, NDArray[Any]]]:
        """Runs batches (N, H, W, 3) uint8 RGB; their results in order, as ``infer_batch`` gives them."""
        ...


def require_outputs(runner: Runner, names: tuple[str, ...], what: str) -> None:
    """Checks that a model gives what a task needs.

    Args:
        runner: The model.
        names: Outputs that the task reads; ``dropout_masks`` where it sets that input.
        what: The task, for the message.

    Raises:
        ModelError: An output is missing; the message names the export option.
    """
    masks = (MASKS_INPUT,) if maskable(runner) else ()
    missing = [name for name in names if name not in (*runner.output_names, *masks)]
    if missing == [MASKS_INPUT] and runner.backend == "torch":
        raise ModelError(
            f"{what} needs a network that drops channels in training, as enet and erfnet do with a dropout above 0; "
            f"{runner.info.network} drops none"
        )
    if missing:
        raise ModelError(
            f"{what} needs the model's {', '.join(missing)}, but it has {', '.join(runner.output_names)} alone; "
            f"export it {_cure(missing)}"
        )


def _cure(missing: list[str]) -> str:
    emitted = sorted({_EMITTED[name] for name in missing if name in _EMITTED})
    return f"with --emit {','.join(emitted)}" if emitted else "without --outputs logits"


def missing_model(path: Path) -> ModelError:
    """The error for a model file that is not there."""
    return ModelError(f"{path}: no such file; name a .edgeseg checkpoint, an exported .onnx or a built .engine")


def require_frames(export: ExportRecord, frames: NDArray[np.uint8], where: str) -> None:
    """Checks frames (N, H, W, 3) against what a model was exported for.

    Raises:
        DataError: Batch or size is another; the message names the export option.
    """
    count, height, width, _ = frames.shape
    if export.batch != "dynamic" and count != export.batch:
        raise DataError(
            f"{where}: takes batches of {export.batch}, got {count}; export it with --batch {count} or dynamic"
        )
    if export.frame is not None and (height, width) != export.frame:
        raise DataError(
            f"{where}: takes frames of {export.frame[0]}x{export.frame[1]}, got {height}x{width}; "
            f"export it with --frame {height}x{width}, or without --frame for any size"
        )
