"""Class weights of the cross-entropy, from the pixel counts of the training labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import DataError


@dataclass(frozen=True)
class ClassCounts:
    """Pixel counts of a set of labels.

    Attributes:
        pixels: (C,) int64, labeled pixels of each class.
        pixels_where_present: (C,) int64, labeled pixels of all classes in the images that show the class.
    """

    pixels: NDArray[np.int64]
    pixels_where_present: NDArray[np.int64]


def count_classes(labels: Iterable[NDArray[np.uint8]], num_classes: int) -> ClassCounts:
    """Counts the pixels of label maps (H, W) uint8; ``IGNORE_INDEX`` does not count.

    Raises:
        DataError: Not one pixel is labeled.
    """
    pixels, where_present = np.zeros(num_classes, np.int64), np.zeros(num_classes, np.int64)
    for label in labels:
        counts = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)[:num_classes]
        pixels += counts
        where_present += np.where(counts > 0, counts.sum(), 0)
    if not pixels.any():
        raise DataError("no pixel of the training labels has a class; is this the right split and class map?")
    return ClassCounts(pixels, where_present)


def enet_weights(counts: ClassCounts) -> NDArray[np.float32]:
    """w_c = 1 / ln(1.02 + p_c), p_c the class's share of the labeled pixels.

    Paszke et al., "ENet", 2016, section 5.2. Weights (C,) float32 lie in 1.4 to 50.5.
    """
    share = counts.pixels / counts.pixels.sum()
    return np.asarray(1.0 / np.log(1.02 + share), np.float32)


def median_frequency_weights(counts: ClassCounts) -> NDArray[np.float32]:
    """w_c = median(f) / f_c, f_c the class's share of the labeled pixels of the images that show it.

    Eigen and Fergus, "Predicting Depth, Surface Normals and Semantic Labels", ICCV 2015, section 6.2; SegNet.
    Weights (C,) float32; a class with no pixel has weight 0 and no part in the median.
    """
    present = counts.pixels > 0
    frequency = counts.pixels[present] / counts.pixels_where_present[present]
    weights = np.zeros(len(counts.pixels), np.float32)
    weights[present] = np.median(frequency) / frequency
    return weights
