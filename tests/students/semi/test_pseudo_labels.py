"""Pseudo-labels and their loss, against sums written out pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from edgeseg.students.semi.pseudo_labels import PseudoLabels, arrange, predict, pseudo_label_loss, sure_share


def _target(seed: int = 0) -> PseudoLabels:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (3, 5, 6), generator=generator).to(torch.uint8)
    labels[torch.rand(3, 5, 6, generator=generator) < 0.2] = 255
    confidence = torch.rand(3, 5, 6, generator=generator) * 0.5 + 0.5
    return PseudoLabels(labels, confidence.masked_fill(labels == 255, 0.0))


def _by_loops(logits: Tensor, target: PseudoLabels, threshold: float | None, classes: list[float]) -> float:
    total, counted = 0.0, 0.0
    for n in range(len(logits)):
        pixels = [(y, x) for y in range(5) for x in range(6) if target.labels[n, y, x] != 255]
        sure = sum(float(target.confidence[n, y, x]) >= (threshold or 0) for y, x in pixels) / len(pixels)
        for y, x in pixels:
            row = [float(v) for v in logits[n, :, y, x]]
            loss = math.log(sum(math.exp(v) for v in row)) - row[int(target.labels[n, y, x])]
            weight = classes[int(target.labels[n, y, x])]
            total += weight * (loss if threshold is None else sure * float(target.confidence[n, y, x]) * loss)
            counted += weight
    return total / counted


@pytest.mark.parametrize("classes", [None, [1.0, 20.0, 3.0, 0.5]])
@pytest.mark.parametrize("threshold", [None, 0.7, 0.97])
def test_loss_is_the_sum_over_pixels(threshold: float | None, classes: list[float] | None) -> None:
    weights = None if classes is None else torch.tensor(classes)
    logits, target = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(1)), _target()
    assert float(pseudo_label_loss(logits, target, threshold, weights)) == pytest.approx(
        _by_loops(logits, target, threshold, classes or [1.0] * 4), rel=1e-5
    )


def test_loss_has_a_gradient_on_labeled_pixels_alone() -> None:
    logits, target = torch.zeros(3, 4, 5, 6, requires_grad=True), _target()
    pseudo_label_loss(logits, target, 0.6).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(1) > 0, target.labels != 255)


def test_loss_without_a_label_is_zero() -> None:
    nothing = PseudoLabels(torch.full((1, 2, 2), 255, dtype=torch.uint8), torch.zeros(1, 2, 2))
    assert float(pseudo_label_loss(torch.randn(1, 3, 2, 2), nothing, 0.9)) == 0.0


def test_sure_share_counts_labeled_pixels_from_the_threshold_on() -> None:
    labels = torch.tensor([[[0, 1, 255, 2]]], dtype=torch.uint8)
    confidence = torch.tensor([[[0.97, 0.96, 1.0, 1.0]]])
    assert sure_share(PseudoLabels(labels, confidence), 0.97).tolist() == pytest.approx([2 / 3])


def test_prediction_is_the_most_probable_class_and_its_probability() -> None:
    net = nn.Conv2d(3, 5, 1)
    images = torch.randn(2, 3, 4, 6)
    found = predict(net, images)
    probs = net(images).softmax(1)
    assert torch.equal(found.labels.long(), probs.argmax(1))
    torch.testing.assert_close(found.confidence, probs.amax(1).detach())
    assert not found.confidence.is_inference()


def test_arranging_mirrors_and_blanks() -> None:
    found, inside = _target(), torch.rand(3, 5, 6) < 0.7
    flips = torch.tensor([True, False, True])
    seen = arrange(found, flips, inside)
    for n in range(3):
        for y in range(5):
            for x in range(6):
                source = 5 - x if flips[n] else x
                counts = bool(inside[n, y, x])
                assert seen.labels[n, y, x] == (found.labels[n, y, source] if counts else 255)
                assert seen.confidence[n, y, x] == (found.confidence[n, y, source] if counts else 0)
