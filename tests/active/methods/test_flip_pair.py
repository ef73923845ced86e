"""EquAL's formulas against loops over pixels and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeseg.active.methods.flip_pair import mirrored, pair_entropy, pair_terms, pixel_entropy
from edgeseg.students.losses import CrossEntropy


def _logits(seed: int = 0) -> Tensor:
    return 2 * torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(seed))


def _label() -> Tensor:
    """Image 0 labeled but for a row, image 1 in two pixels, image 2 nowhere."""
    label = torch.randint(0, 4, (3, 5, 6), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    label[0, 0] = label[2] = 255
    label[1, 1:] = label[1, :, 2:] = 255
    return label


def test_entropy_equals_the_loops() -> None:
    logits = _logits()
    found = pixel_entropy(logits)
    for n, y, x in np.ndindex(3, 5, 6):
        z = logits[n, :, y, x].tolist()
        total = sum(math.exp(v) for v in z)
        expected = -sum(math.exp(v) / total * math.log(math.exp(v) / total) for v in z)
        assert float(found[n, y, x]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_entropy_of_a_certain_pixel_is_zero_and_no_nan() -> None:
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1)
    assert pixel_entropy(logits).tolist() == [[[0.0]]]


def test_score_mirrors_the_second_prediction_back() -> None:
    """A network that sees each pixel alone says the same of both images, so that the score is twice the entropy."""
    net, images = nn.Conv2d(3, 4, 1), torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = pair_entropy(net(images), net(mirrored(images)))
        torch.testing.assert_close(found, 2 * pixel_entropy(net(images)))


def test_score_of_an_image_and_of_its_mirror_image_are_mirrored() -> None:
    net, images = nn.Conv2d(3, 4, 3, padding=1), torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        here, there = net(images), net(mirrored(images))
    torch.testing.assert_close(pair_entropy(here, there), mirrored(pair_entropy(there, here)))


def test_score_has_no_term_of_disagreement() -> None:
    certain = torch.zeros(1, 2, 1, 2)
    certain[:, 0] = 50.0
    assert float(pair_entropy(certain, certain.flip(1)).max()) < 1e-6


def test_terms_equal_the_loops() -> None:
    logits, of_mirrored, label = _logits(0), _logits(5), _label()
    terms = pair_terms(logits, of_mirrored, label, CrossEntropy())
    back = of_mirrored[..., list(range(5, -1, -1))]
    second, errors = [], []
    for n, y, x in np.ndindex(3, 5, 6):
        if n < 2:  # the third image has no labeled region
            errors += [float(d) ** 2 for d in logits[n, :, y, x] - back[n, :, y, x]]
        if label[n, y, x] != 255:
            second.append(-float(back[n, :, y, x].log_softmax(0)[int(label[n, y, x])]))
    assert float(terms["mirrored_ce"]) == pytest.approx(np.mean(second), rel=1e-5)
    assert float(terms["consistency"]) == pytest.approx(2 * np.mean(errors), rel=1e-5)
    assert float(terms["loss"]) == pytest.approx(sum(float(terms[k]) for k in terms if k != "loss"), rel=1e-6)


def test_each_squared_error_moves_one_prediction_alone() -> None:
    """With stopped gradients each logit moves by 2d / M; without them it would move by 4d / M."""
    logits, of_mirrored, label = _logits(0).requires_grad_(), _logits(5).requires_grad_(), _label()
    terms = pair_terms(logits, of_mirrored, label, CrossEntropy())
    here, there = torch.autograd.grad(terms["consistency"], [logits, of_mirrored])
    apart = (logits - mirrored(of_mirrored)).detach()
    apart[2] = 0
    torch.testing.assert_close(here, 2 * apart / (2 * 4 * 5 * 6))
    torch.testing.assert_close(there, mirrored(-2 * apart / (2 * 4 * 5 * 6)))


def test_unlabeled_pixels_learn_from_consistency_alone() -> None:
    logits, of_mirrored, label = _logits(0), _logits(5).requires_grad_(), _label()
    terms = pair_terms(logits, of_mirrored, label, CrossEntropy())
    unlabeled = (label == 255)[:, None].expand_as(logits)
    (by_label,) = torch.autograd.grad(terms["mirrored_ce"], of_mirrored, retain_graph=True)
    (by_pair,) = torch.autograd.grad(terms["consistency"], of_mirrored)
    assert not mirrored(by_label)[unlabeled].any()
    assert mirrored(by_pair)[:2][unlabeled[:2]].all() and not by_pair[2].any()


def test_batch_without_a_label_costs_nothing() -> None:
    terms = pair_terms(_logits(0), _logits(5), torch.full((3, 5, 6), 255, dtype=torch.uint8), CrossEntropy())
    assert all(float(value) == 0 for value in terms.values())
