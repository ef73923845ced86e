"""Class weights by name: from the training labels, or from what the soft labels' ensemble is good at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg import softlabels
from edgeseg.errors import ConfigError
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.losses import count_classes, enet_weights, median_frequency_weights

_FROM_LABELS = {"enet": enet_weights, "median": median_frequency_weights}
RELIABILITY = "reliability"


def class_weights(weighting: str, frames: DecodedFrames, cache: Path | str | None = None) -> Tensor:
    """Class weights (C,) float32.

    Args:
        weighting: ``enet``, ``median``, or with a cache ``reliability``.
        frames: Training samples, whose labels are counted.
        cache: Path or URL of the soft labels.

    Raises:
        CacheError: The cache cannot be opened.
        ConfigError: The weighting is unknown, or the cache knows of no reliability.
        DataError: No pixel is labeled, but the labels are to be counted.
    """
    if weighting == RELIABILITY and cache is not None:
        return torch.from_numpy(_reliability(cache))
    if weighting not in _FROM_LABELS:
        raise ConfigError(f"weighting must be one of {', '.join(_FROM_LABELS)}, {RELIABILITY}, got {weighting!r}")
    counts = count_classes(frames.label_maps(), frames.dataset.class_map.num_classes)
    return torch.from_numpy(_FROM_LABELS[weighting](counts))


def _reliability(cache: Path | str) -> NDArray[np.float32]:
    """The ensemble's IoU of each class on the labels that the cache was built on; their mean where it has none."""
    info = softlabels.open(cache).info
    found = info.gate.get("ensemble", {}).get("iou", {})
    known = [iou for iou in found.values() if iou is not None]
    if not known:
        raise ConfigError(
            f"weighting {RELIABILITY}: {cache} knows no IoU of its ensemble, as it was built on data without labels; "
            "use enet or median"
        )
    ious = [found.get(name) for name in info.class_map.names]
    return np.array([np.mean(known) if iou is None else iou for iou in ious], np.float32)
