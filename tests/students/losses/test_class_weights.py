from __future__ import annotations

import math

import numpy as np
import pytest

from edgeseg.errors import DataError
from edgeseg.students.losses import count_classes, enet_weights, median_frequency_weights

FIRST = np.array([[0, 0, 0, 1], [255, 255, 255, 255]], np.uint8)
SECOND = np.array([[0, 0, 0, 0], [0, 0, 2, 2]], np.uint8)


def test_counts_leave_ignored_pixels_out() -> None:
    counts = count_classes([FIRST, SECOND], 4)
    assert counts.pixels.tolist() == [9, 1, 2, 0]
    assert counts.pixels_where_present.tolist() == [12, 4, 8, 0]


def test_enet_weights_are_the_paper_s_formula() -> None:
    weights = enet_weights(count_classes([FIRST, SECOND], 4))
    assert weights.tolist() == pytest.approx([1 / math.log(1.02 + n / 12) for n in (9, 1, 2, 0)], rel=1e-6)


def test_median_frequency_weights_by_hand() -> None:
    # Frequencies 9/12, 1/4, 2/8: the median is 1/4.
    weights = median_frequency_weights(count_classes([FIRST, SECOND], 4))
    assert weights.tolist() == pytest.approx([1 / 3, 1.0, 1.0, 0.0])


def test_labels_without_any_class_are_refused() -> None:
    with pytest.raises(DataError, match="no pixel of the training labels has a class"):
        count_classes([np.full((2, 2), 255, np.uint8)], 3)
