"""From a value of each pixel to regions: means over them, and the best ones of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def region_means(
    values: NDArray[np.float32], regions: NDArray[np.int32], labeled: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Mean of a map over each region, in the map's unit.

    Args:
        values: (H, W).
        regions: (H, W) ids 0 to R - 1, each in use, -1 outside all regions.
        labeled: (H, W), pixels that count as 0 because they need no label (S4AL: Rangnekar et al., "Semantic
            Segmentation with Active Semi-Supervised Learning", WACV 2023), or None.

    Returns:
        (R,).
    """
    wanted = values if labeled is None else np.where(labeled, np.float32(0), values)
    places = regions.ravel() + 1
    sums = np.bincount(places, weights=wanted.ravel())[1:]
    return np.asarray(sums / np.bincount(places)[1:], np.float64)


def best_of_image(values: NDArray[np.float64], number: int) -> list[int]:
    """Ids of the regions of highest value, best first, at most ``number``, none of value 0; equals go by id."""
    order = np.argsort(-values, kind="stable")[:number]
    return [int(region) for region in order if values[region] > 0]
