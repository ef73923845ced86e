from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseg.students.losses import CrossEntropy
from edgeseg.students.losses.cross_entropy import resize_label


def _sample(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    label = torch.randint(0, 4, (2, 5, 6), generator=generator, dtype=torch.uint8)
    label[0, 0] = 255
    return logits, label


def _slow(logits: torch.Tensor, label: torch.Tensor, weights: list[float]) -> list[tuple[float, float, float]]:
    """(true class's probability, weight, loss) of each labeled pixel."""
    rows = []
    for n, y, x in np.ndindex(*label.shape):
        k = int(label[n, y, x])
        if k != 255:
            z = logits[n, :, y, x].double().tolist()
            prob = math.exp(z[k]) / sum(math.exp(v) for v in z)
            rows.append((prob, weights[k], -math.log(prob)))
    return rows


def _mean(rows: list[tuple[float, float, float]]) -> float:
    return sum(w * loss for _, w, loss in rows) / sum(w for _, w, _ in rows)


def test_uniform_logits_give_log_of_class_count() -> None:
    loss = CrossEntropy()(torch.zeros(1, 5, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8))
    assert float(loss) == pytest.approx(math.log(5))


def test_weighted_mean_agrees_with_slow_version() -> None:
    logits, label = _sample()
    weights = [0.5, 2.0, 1.0, 4.0]
    loss = CrossEntropy(torch.tensor(weights))(logits, label)
    assert float(loss) == pytest.approx(_mean(_slow(logits, label, weights)), rel=1e-5)


def test_label_smoothing_agrees_with_torch() -> None:
    logits, label = _sample()
    expected = functional.cross_entropy(logits, label.long(), ignore_index=255, label_smoothing=0.1)
    assert float(CrossEntropy(label_smoothing=0.1)(logits, label)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_ohem_share_keeps_the_hardest(share: float) -> None:
    logits, label = _sample(1)
    weights = [0.5, 2.0, 1.0, 4.0]
    rows = sorted(_slow(logits, label, weights))
    hardest = rows[: max(1, round(share * len(rows)))]
    loss = CrossEntropy(torch.tensor(weights), "share", ohem_share=share)(logits, label)
    assert float(loss) == pytest.approx(_mean(hardest), rel=1e-5)


@pytest.mark.parametrize(("threshold", "share"), [(0.3, 0.05), (0.001, 0.5)])
def test_ohem_threshold_keeps_unsure_pixels_and_at_least_the_share(threshold: float, share: float) -> None:
    logits, label = _sample(2)
    rows = sorted(_slow(logits, label, [1.0] * 4))
    unsure = [row for row in rows if row[0] <= threshold]
    kept = max(unsure, rows[: round(share * len(rows))], key=len)
    loss = CrossEntropy(None, "threshold", share, threshold)(logits, label)
    assert float(loss) == pytest.approx(_mean(kept), rel=1e-5)


@pytest.mark.parametrize("ohem", ["off", "share", "threshold"])
def test_no_labeled_pixel_gives_zero_with_finite_gradient(ohem: str) -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = CrossEntropy(torch.ones(3), ohem)(logits, torch.full((1, 2, 2), 255, dtype=torch.uint8))  # type: ignore[arg-type]
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None and not logits.grad.any()


def test_label_of_a_lower_head_is_its_nearest_pixel() -> None:
    label = torch.arange(16, dtype=torch.uint8).reshape(1, 4, 4)
    # Centre of each 2×2 block rounds to its lower right pixel.
    assert resize_label(label, 2, 2).tolist() == [[[5, 7], [13, 15]]]
    assert resize_label(label, 2, 2).dtype == torch.uint8
