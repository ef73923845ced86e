"""What people labeled and what the model predicts → one label map a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX

Rest = Literal["ignore", "prediction"]


@dataclass(frozen=True)
class Merged:
    """A merged label map.

    Attributes:
        label: (H, W) uint8 train ids, ``IGNORE_INDEX`` where nothing is known.
        labeled: (H, W) bool, where people labeled and more than half of them agree.
        conflict: (H, W) bool, where two annotators disagree, whoever won.
        predicted: (H, W) bool, where the label is the model's prediction.
    """

    label: NDArray[np.uint8]
    labeled: NDArray[np.bool_]
    conflict: NDArray[np.bool_]
    predicted: NDArray[np.bool_]


def merge(
    annotations: Sequence[NDArray[np.uint8]],
    asked: NDArray[np.bool_],
    prediction: NDArray[np.uint8] | None,
    confidence: NDArray[np.float64] | None,
    min_confidence: float,
) -> Merged:
    """Labels win; where annotators disagree, what more than half of them say, otherwise nothing.

    Args:
        annotations: One label map (H, W) uint8 for each annotator, ``IGNORE_INDEX`` where they labeled nothing.
        asked: (H, W) bool, what was asked for: where it was left blank, it stays so.
        prediction: (H, W) uint8 train ids for the rest; None: it is ignored.
        confidence: (H, W) within 0 to 1; None: the model is believed everywhere.
        min_confidence: The prediction counts from here on.
    """
    label, conflict = _agreed(annotations, asked.shape)
    labeled = label != IGNORE_INDEX
    predicted = np.zeros(asked.shape, bool)
    if prediction is not None:
        predicted = ~asked & ~labeled & ~conflict & (prediction != IGNORE_INDEX)
        if confidence is not None:
            predicted &= confidence >= min_confidence
        label[predicted] = prediction[predicted]
    return Merged(label, labeled, conflict, predicted)


def certainty(entropy: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Confidence (H, W) within 0 to 1 from an entropy map (H, W) uint8: 1 - entropy / log C."""
    return 1.0 - entropy / 255.0


def _agreed(
    annotations: Sequence[NDArray[np.uint8]], size: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    label = np.full(size, IGNORE_INDEX, np.uint8)
    if not annotations:
        return label, np.zeros(size, bool)
    stack = np.stack(annotations)
    voters = (stack != IGNORE_INDEX).sum(0)
    most = np.zeros(size, np.int64)
    for cls in np.unique(stack[stack != IGNORE_INDEX]).tolist():
        votes = (stack == cls).sum(0)
        label[2 * votes > voters] = cls
        most = np.maximum(most, votes)
    return label, most < voters
