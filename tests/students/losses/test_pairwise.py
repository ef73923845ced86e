from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edgeseg.errors import ConfigError
from edgeseg.students.losses import Pairwise

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _cells(probs: torch.Tensor, mask: torch.Tensor, side: int) -> list[list[float]]:
    """Mean probabilities over the counted pixels of each cell that has one."""
    height, width = mask.shape
    cells = []
    for top, left in np.ndindex(math.ceil(height / side), math.ceil(width / side)):
        part = np.s_[top * side : (top + 1) * side, left * side : (left + 1) * side]
        inside = mask[part]
        if inside.any():
            cells.append(probs[(slice(None), *part)][:, inside].mean(1).tolist())
    return cells


def _affinity(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("side", [1, 2, 4])
def test_agrees_with_slow_version(sample: Sample, side: int) -> None:
    logits, soft, mask = sample
    mask[0, :2, :2] = False  # cells without a pixel
    per_image = []
    for n in range(2):
        student, teacher = (_cells(p[n], mask[n], side) for p in ((logits / 3).softmax(1), soft))
        pairs = [(i, j) for i in range(len(student)) for j in range(len(student))]
        squares = [(_affinity(student[i], student[j]) - _affinity(teacher[i], teacher[j])) ** 2 for i, j in pairs]
        per_image.append(sum(squares) / len(pairs))
    expected = 9 * sum(per_image) / 2
    assert float(Pairwise(3, cell=side)(logits, soft, mask)) == pytest.approx(expected, rel=1e-4)


def test_which_class_is_which_plays_no_part(sample: Sample) -> None:
    logits, soft, mask = sample
    renamed = logits[:, [3, 0, 4, 1, 2]]
    assert float(Pairwise(3, cell=2)(renamed, soft, mask)) == pytest.approx(
        float(Pairwise(3, cell=2)(logits, soft, mask)), rel=1e-5
    )


@pytest.mark.parametrize("cell", [0, 2.5, "8"])
def test_cell_that_is_no_number_of_pixels_is_refused(cell: int) -> None:
    with pytest.raises(ConfigError, match=r"kl_options\.cell must be a whole number of pixels from 1 on, got"):
        Pairwise(1, cell=cell)
