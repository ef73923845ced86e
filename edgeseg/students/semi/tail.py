"""Rare classes, and the labeled frames that show them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.errors import ConfigError


def pixels_by_frame(labels: Iterable[NDArray[np.uint8]], num_classes: int) -> NDArray[np.int64]:
    """Pixels of each class in each label map (H, W): (frames, C)."""
    counts = [np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)[:num_classes] for label in labels]
    return np.stack(counts).astype(np.int64)


def tail_ids(names: tuple[str, ...], class_map: ClassMap, pixels: NDArray[np.int64]) -> tuple[int, ...]:
    """Train ids of the rare classes, in ascending order.

    Args:
        names: Their names; () is the half, rounded down, of the classes with labeled pixels that has the fewest.
        class_map: Of the labels.
        pixels: (frames, C) labeled pixels.

    Raises:
        ConfigError: A name is unknown, or no label shows any of the classes.
    """
    if unknown := [name for name in names if name not in class_map.names]:
        raise ConfigError(
            f"semi.tail_classes: {', '.join(unknown)} is no class of {class_map.name}; "
            f"its classes: {', '.join(class_map.names)}"
        )
    total = pixels.sum(0)
    found = [class_map.names.index(name) for name in names]
    if not names:
        present = np.flatnonzero(total)
        found = present[np.argsort(total[present], kind="stable")][: len(present) // 2].tolist()
    if not total[found].any():
        raise ConfigError(
            f"semi.classmix=balanced: no label shows a rare class ({', '.join(names) or 'there is one class only'}); "
            "name others in semi.tail_classes, or set semi.classmix to plain"
        )
    return tuple(sorted(found))
