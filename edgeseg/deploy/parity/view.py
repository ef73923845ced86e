"""What parity compares of one frame, from whatever outputs a model gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.preprocess import Preprocess, resize_nearest

CELL_PX = 32
"""Side of a cell of ``cell_entropy``."""


@dataclass(frozen=True)
class FrameSays:
    """One model on one frame, at the network's h×w.

    Attributes:
        classes: (h, w) uint8 train ids.
        logits: (C, h, w) float32, None where the model gives none.
        cell_entropy: (⌈h/32⌉, ⌈w/32⌉) float32, mean nats.
        frame_entropy: Mean nats.
    """

    classes: NDArray[np.uint8]
    logits: NDArray[np.float32] | None
    cell_entropy: NDArray[np.float32]
    frame_entropy: float


def frame_says(outputs: Mapping[str, NDArray[Any]], temperature: float) -> FrameSays:
    """Reads a runner's outputs; entropies come from the logits where a plain network gives nothing else."""
    logits = outputs.get("logits")
    if "cell_entropy" in outputs:
        entropies = outputs["cell_entropy"], float(outputs["frame_entropy"])
    else:
        entropy = entropy_map(outputs["logits"], temperature)
        entropies = cell_means(entropy), float(entropy.mean())
    classes = outputs["class_map"] if "class_map" in outputs else outputs["logits"].argmax(0).astype(np.uint8)
    return FrameSays(classes, None if logits is None else logits.astype(np.float32), *entropies)


def seen_label(label: NDArray[np.uint8], preprocess: Preprocess, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """A label where the network sees what it labels, (h, w) uint8, 255 beside the frame.

    Args:
        label: Train ids of the whole frame, of any size; each pixel of the result is its nearest neighbour.
        preprocess: How the frame became the network's input.
        frame: (H, W) of the frame.
    """
    place = preprocess.placement(*frame)
    both = place.within(*preprocess.size)
    seen = np.full(preprocess.size, IGNORE_INDEX, np.uint8)
    scaled = resize_nearest(label, place.height, place.width)
    seen[both.rows, both.columns] = scaled[both.frame_rows, both.frame_columns]
    return seen


def entropy_map(logits: NDArray[Any], temperature: float) -> NDArray[np.float32]:
    """Entropy (h, w) in nats of softmax(logits / temperature), logits (C, h, w)."""
    z = logits.astype(np.float32) / np.float32(temperature)
    z -= z.max(0)
    raised = np.exp(z)
    total = raised.sum(0)
    return np.asarray(np.log(total) - (raised * z).sum(0) / total, np.float32)


def cell_means(entropy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means (⌈h/32⌉, ⌈w/32⌉) of a map (h, w); a partial cell averages the pixels that it has."""
    rows, columns = np.arange(0, entropy.shape[0], CELL_PX), np.arange(0, entropy.shape[1], CELL_PX)
    sums = np.add.reduceat(np.add.reduceat(entropy.astype(np.float64), rows, 0), columns, 1)
    counts = np.diff([*rows, entropy.shape[0]])[:, None] * np.diff([*columns, entropy.shape[1]])[None]
    return np.asarray(sums / counts, np.float32)


def top_cells(cell_entropy: NDArray[np.float32], share: float = 0.1) -> NDArray[np.intp]:
    """Flat positions of the most uncertain cells, a share of all and at least one; equal cells by position."""
    count = max(1, round(share * cell_entropy.size))
    return np.argsort(-cell_entropy.ravel(), kind="stable")[:count]


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Spearman's ρ of two series (K,), equal values sharing their mean rank; None where it is undefined."""
    ranks = [_mean_ranks(values) for values in (a, b)]
    if len(a) < 2 or any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], np.float64)
