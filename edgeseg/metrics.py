"""Segmentation metrics, accumulated over a dataset: one confusion matrix, and expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import DataError


class ConfusionMatrix:
    """Counts of pixels by label (rows) and prediction (columns), (C, C) int64.

    Intersection over union of class k is ``n_kk / (row_k + column_k - n_kk)``.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)

    def update(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Adds one label map and its prediction, both uint8 train ids of equal shape.

        Pixels labeled ``IGNORE_INDEX`` do not count.

        Raises:
            DataError: The shapes differ, or a train id is not below C.
        """
        if label.shape != prediction.shape:
            raise DataError(f"label {label.shape} and prediction {prediction.shape} differ in shape")
        valid = label != IGNORE_INDEX
        rows, columns = label[valid].astype(np.int64), prediction[valid].astype(np.int64)
        if rows.size and max(rows.max(), columns.max()) >= self.num_classes:
            raise DataError(f"train id {max(rows.max(), columns.max())} in a map of {self.num_classes} classes")
        cells = np.bincount(rows * self.num_classes + columns, minlength=self.num_classes**2)
        self.counts += cells.reshape(self.num_classes, self.num_classes)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union per class (C,) float64; NaN where no pixel has that label."""
        return np.where(self.counts.sum(1) > 0, self._iou_union(), np.nan)

    def _iou_union(self) -> NDArray[np.float64]:
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        with np.errstate(invalid="ignore"):
            return np.asarray(hits / union)

    def miou(self) -> float:
        """Mean IoU of the classes with at least one labeled pixel; NaN where there is none."""
        return _mean(self.iou())

    def miou_union(self) -> float:
        """Mean IoU of every class that occurs in labels or predictions (Cityscapes' rule)."""
        return _mean(self._iou_union())

    def pixel_accuracy(self) -> float:
        """Share of labeled pixels predicted right; NaN where none is labeled."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")


class CalibrationError:
    """Expected calibration error: Σ_b n_b / n · |accuracy_b − confidence_b| over equal-width bins.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 3; 15 bins as there.
    """

    def __init__(self, bins: int = 15) -> None:
        self.bins = bins
        self._pixels = np.zeros(bins, np.int64)
        self._hits = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins, np.float64)

    def update(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        """Adds one frame: label and predicted train ids (H, W), and the winner's probability (H, W) in [0, 1]."""
        valid = label != IGNORE_INDEX
        sure = confidence[valid]
        bin_of = np.minimum((sure * self.bins).astype(np.int64), self.bins - 1)
        self._pixels += np.bincount(bin_of, minlength=self.bins)
        self._hits += np.bincount(bin_of[label[valid] == prediction[valid]], minlength=self.bins)
        self._confidence += np.bincount(bin_of, weights=sure, minlength=self.bins)

    def value(self) -> float:
        """The error in [0, 1]; NaN where no pixel was added."""
        total = self._pixels.sum()
        return float(np.abs(self._hits - self._confidence).sum() / total) if total else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
