"""The model of a round: opened with the outputs that a method reads, run at full size, evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets import Dataset
from edgeseg.deploy import evaluation
from edgeseg.deploy.fullsize import FullSize, predict_full_size
from edgeseg.deploy.prototypes import PROTOTYPES_KEY, measure
from edgeseg.deploy.runners.base import Runner
from edgeseg.dropout import MASKS_INPUT
from edgeseg.errors import ConfigError
from edgeseg.nets.deployed import EMITTED
from edgeseg.nets.runner import TorchRunner


def open_runner(checkpoint: Path, needs: tuple[str, ...], threads: int | None, known: Dataset | None = None) -> Runner:
    """Opens a checkpoint so that it gives what a method reads.

    Args:
        checkpoint: The model.
        needs: Outputs, beside the base ones and ``logits``.
        threads: Of the processor.
        known: Labels to measure class prototypes on, for methods that read ``features``.

    Raises:
        ConfigError: Channel masks are needed, and the network drops no channels.
    """
    emit = tuple(name for name, outputs in EMITTED.items() if set(outputs) & set(needs))
    runner = TorchRunner(checkpoint, threads, emit=emit)
    if MASKS_INPUT in needs and not runner.mask_layers:
        runner.close()
        raise ConfigError(
            f"strategy mc-dropout asks a network with channels missing, and {runner.info.network} drops none in "
            "training; take a network with dropout, such as enet or erfnet, or another strategy"
        )
    if "features" in needs and known is not None:
        runner.info = runner.info.with_extra(**{PROTOTYPES_KEY: measure(runner, known).to_plain(known.spec)})
    return runner


def predicted(runner: Runner, image: NDArray[np.uint8], min_confidence: float = 0.0) -> NDArray[np.uint8]:
    """What the model says of a frame.

    Args:
        runner: Of the model; it gives logits.
        image: (H, W, 3).
        min_confidence: Least probability of the winning class, calibrated as the model's own temperature makes it.

    Returns:
        Train ids (H, W) uint8; 255 where it does not see, or is less confident.
    """
    height, width = image.shape[:2]
    full = FullSize(runner.info.preprocess, (height, width), height, width)
    said, seen = predict_full_size(runner.infer(image), full, runner.info.temperature), full.seen()
    told = said.classes if seen is None else np.where(seen, said.classes, np.uint8(255))
    if min_confidence == 0:
        return told
    assert said.confidence is not None
    return np.where(said.confidence >= min_confidence, told, np.uint8(255))


def evaluate(checkpoint: Path, val: Dataset, threads: int | None) -> dict[str, Any]:
    """Figures of a checkpoint on labels."""
    with TorchRunner(checkpoint, threads) as runner:
        return evaluation.evaluate(runner, val).to_dict()
