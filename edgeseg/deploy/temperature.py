"""Temperature scaling: one divisor of the logits that makes a model's confidence true (Guo et al., ICML 2017)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.deploy.fullsize import FullSize
from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.errors import ConfigError, DataError
from edgeseg.metrics import CalibrationError
from edgeseg.progress import track

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures between which the minimum must lie."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class PixelSample:
    """Labeled pixels of a dataset.

    Attributes:
        logits: (K, C) float32, upsampled bilinearly to label size.
        labels: (K,) uint8 train ids, none of them ``IGNORE_INDEX``.
        frames: Number of frames they come from.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.uint8]
    frames: int


def sample_pixels(runner: Runner, dataset: Dataset, pixels: int) -> PixelSample:
    """Draws labeled pixels evenly from all frames, the same ones at every call.

    No more than one frame's logits stand in memory beside the sample. A pixel's draw depends on its
    sample's id alone, so the order of the frames does not matter.

    Args:
        runner: A model that gives logits.
        dataset: Labeled, of the model's own classes.
        pixels: At most so many in all, an equal number from each frame.

    Raises:
        ConfigError: The dataset's classes are not the model's, or ``pixels`` is fewer than the frames.
        DataError: No pixel is labeled.
        ModelError: The model gives no logits.
    """
    require_outputs(runner, ("logits",), "fitting a temperature")
    if not runner.info.class_map.same_classes(dataset.class_map):
        raise ConfigError(
            f"{dataset.spec}: its classes are not the model's, and a temperature is fitted on the model's own; "
            "use a dataset of the classes that the model was trained on"
        )
    share = pixels // len(dataset)
    if share < 1:
        raise ConfigError(f"--pixels {pixels} is fewer than the dataset's {len(dataset)} frames")
    drawn = [_draw(runner, dataset, index, share) for index in track(range(len(dataset)), "sampling logits")]
    labels = np.concatenate([label for _, label in drawn])
    if not labels.size:
        raise DataError(f"{dataset.spec}: no pixel is labeled, so there is nothing to fit on")
    return PixelSample(np.concatenate([logits for logits, _ in drawn]), labels, len(dataset))


def _draw(runner: Runner, dataset: Dataset, index: int, count: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    image, label = dataset.image(index), dataset.label(index)
    full = FullSize(runner.info.preprocess, (image.shape[0], image.shape[1]), *label.shape)
    seen = full.seen()
    labeled = np.flatnonzero((label != IGNORE_INDEX) & (True if seen is None else seen))
    seed = int.from_bytes(hashlib.sha256(dataset.sample_ids[index].encode()).digest()[:8], "big")
    chosen = np.random.default_rng(seed).permutation(labeled)[:count]
    planes = runner.infer(image)["logits"]
    logits = np.stack([full.plane(plane).ravel()[chosen] for plane in planes], axis=1)
    return logits.astype(np.float32), label.ravel()[chosen]


def fit(sample: PixelSample, tolerance: float = 1e-5) -> float:
    """The temperature T that minimises the mean of −log softmax(z / T)_y.

    The mean is convex in β = 1 / T; its derivative E_softmax(βz)[z] − z_y is bisected in log β, which
    cannot miss the minimum and needs no step size.

    Args:
        sample: Labeled pixels.
        tolerance: Of log T.

    Raises:
        DataError: The minimum is not within ``LOWEST`` to ``HIGHEST``: the model is right nowhere, or everywhere.
    """
    low, high = -np.log(HIGHEST), -np.log(LOWEST)
    if _slope(sample, float(np.exp(low))) >= 0 or _slope(sample, float(np.exp(high))) <= 0:
        raise DataError(
            f"no temperature between {LOWEST:g} and {HIGHEST:g} minimises the loss on {len(sample.labels)} pixels: "
            "the model is right almost nowhere, or everywhere; use a validation split that it was not trained on"
        )
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(sample, float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def nll(sample: PixelSample, temperature: float) -> float:
    """Mean of −log softmax(logits / temperature) at the label, in nats."""

    def total(z: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
        scaled = z / temperature
        return float((np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(labels)), labels]).sum())

    return _mean(sample, total)


def ece(sample: PixelSample, temperature: float) -> float:
    """Expected calibration error of softmax(logits / temperature) on the sample, in [0, 1]."""
    error = CalibrationError()
    for start in range(0, len(sample.labels), _BLOCK):
        logits, labels = sample.logits[start : start + _BLOCK], sample.labels[start : start + _BLOCK]
        best = logits.max(1, keepdims=True)
        confidence = 1.0 / np.exp((logits - best) / np.float32(temperature)).sum(1)
        error.update(labels, logits.argmax(1).astype(np.uint8), confidence)
    return error.value()


def _slope(sample: PixelSample, beta: float) -> float:
    """Derivative of the mean loss by β = 1 / T."""

    def total(z: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
        raised = np.exp(beta * z)
        expected = (raised * z).sum(1) / raised.sum(1)
        return float((expected - z[np.arange(len(labels)), labels]).sum())

    return _mean(sample, total)


def _mean(sample: PixelSample, total: Callable[[NDArray[np.float64], NDArray[np.uint8]], float]) -> float:
    """Mean over pixels of what ``total`` sums over a block, its largest logit taken off each pixel first."""
    result = 0.0
    for start in range(0, len(sample.labels), _BLOCK):
        logits = sample.logits[start : start + _BLOCK].astype(np.float64)
        result += total(logits - logits.max(1, keepdims=True), sample.labels[start : start + _BLOCK])
    return result / len(sample.labels)
