"""DEAL's formulas against loops over pixels and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.active.methods.difficulty import (
    DifficultyBranch,
    ProbabilityAttention,
    difficulty_entropy,
    difficulty_loss,
    difficulty_score,
)


def _logits(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _attended_by_loops(probs: Tensor, gamma: float) -> Tensor:
    """One image (C, N) pixel by pixel, as the formula is written."""
    count = probs.shape[1]
    attended = probs.clone()
    for i in range(count):
        energies = [float(probs[:, i] @ probs[:, j]) for j in range(count)]
        total = sum(math.exp(e) for e in energies)
        for j in range(count):
            attended[:, i] += gamma * math.exp(energies[j]) / total * probs[:, j]
    return attended


def test_attention_equals_the_loops_over_pairs_of_pixels() -> None:
    probs = _logits(2, 4, 3, 5).double().softmax(1)
    attention = ProbabilityAttention().double()
    with torch.no_grad():
        attention.gamma.fill_(0.7)
        found = attention(probs)
    expected = torch.stack([_attended_by_loops(image.flatten(1), 0.7).view_as(image) for image in probs])
    torch.testing.assert_close(found, expected)


def test_attention_starts_as_identity_and_can_be_learned() -> None:
    probs = _logits(1, 3, 4, 4).softmax(1)
    attention = ProbabilityAttention()
    found = attention(probs)
    torch.testing.assert_close(found, probs)
    found.square().sum().backward()
    assert attention.gamma.grad is not None and float(attention.gamma.grad) != 0


def test_branch_at_start_is_a_weighted_sum_of_class_probabilities() -> None:
    branch, logits = DifficultyBranch(4, size=(6, 8)), _logits(2, 4, 6, 8)
    weight, bias = branch.classifier.weight.flatten(), branch.classifier.bias
    expected = torch.einsum("c,nchw->nhw", weight, logits.softmax(1)) + bias
    torch.testing.assert_close(branch(logits), expected)


def test_branch_judges_at_the_size_of_the_logits_with_c_plus_two_weights() -> None:
    branch = DifficultyBranch(11)
    assert branch(_logits(2, 11, 45, 61)).shape == (2, 45, 61)
    assert sum(p.numel() for p in branch.parameters()) == 13


@pytest.mark.parametrize("detached", [False, True])
def test_detached_branch_leaves_the_segmentation_alone(detached: bool) -> None:
    logits = _logits(1, 3, 6, 8).requires_grad_()
    branch = DifficultyBranch(3, detached=detached)
    branch(logits).sum().backward()
    assert (logits.grad is None or not logits.grad.any()) == detached
    assert branch.classifier.weight.grad is not None and branch.classifier.weight.grad.any()


def _loss_by_loops(difficulty: Tensor, logits: Tensor, label: Tensor) -> float:
    sums, counts = [0.0, 0.0], [0, 0]
    for n, y, x in np.ndindex(*label.shape):
        if label[n, y, x] == 255:
            continue
        wrong = int(logits[n, :, y, x].argmax() != label[n, y, x])
        m = 1 / (1 + math.exp(-float(difficulty[n, y, x])))
        sums[wrong] -= math.log(m if wrong else 1 - m)
        counts[wrong] += 1
    weights = [1 / math.sqrt(n + 1) for n in counts]
    return sum(w / sum(weights) * s / max(n, 1) for w, s, n in zip(weights, sums, counts, strict=True))


def _label(*shape: int) -> Tensor:
    label = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    label[:, 0] = 255
    return label


def test_loss_equals_the_loops_over_pixels() -> None:
    difficulty, logits, label = _logits(2, 5, 6, seed=3), _logits(2, 4, 5, 6), _label(2, 5, 6)
    assert float(difficulty_loss(difficulty, logits, label)) == pytest.approx(
        _loss_by_loops(difficulty, logits, label), rel=1e-5
    )


def test_loss_weighs_the_rarer_kind_more() -> None:
    # 8 right pixels and 3 wrong ones: weights 1/3 and 1/2, that is 0.4 and 0.6.
    label = torch.zeros(1, 1, 11, dtype=torch.uint8)
    logits = torch.zeros(1, 2, 1, 11)
    logits[:, 1, :, 8:] = 1.0
    difficulty = torch.full((1, 1, 11), math.log(3))  # m = 3/4
    expected = 0.4 * math.log(4) + 0.6 * math.log(4 / 3)
    assert float(difficulty_loss(difficulty, logits, label)) == pytest.approx(expected, rel=1e-5)


def test_void_counts_neither_as_right_nor_as_wrong() -> None:
    difficulty, logits, label = _logits(2, 5, 6, seed=3), _logits(2, 4, 5, 6), _label(2, 5, 6)
    difficulty.requires_grad_()
    loss = difficulty_loss(difficulty, logits, label)
    cropped = difficulty_loss(difficulty[:, 1:], logits[:, :, 1:], label[:, 1:])
    torch.testing.assert_close(loss, cropped)
    (slope,) = torch.autograd.grad(loss, difficulty)
    assert not slope[label == 255].any() and slope[label != 255].all()


@pytest.mark.parametrize("what", ["void", "right", "wrong"])
def test_loss_is_finite_where_a_kind_of_pixel_is_missing(what: str) -> None:
    logits = torch.zeros(1, 2, 3, 3)
    logits[:, 0] = 5.0
    label = torch.full((1, 3, 3), {"void": 255, "right": 0, "wrong": 1}[what], dtype=torch.uint8)
    loss = float(difficulty_loss(torch.zeros(1, 3, 3), logits, label))
    # Ten is the count plus one: the missing kind has weight 1, the other 1/√10.
    share = 1 / (1 + math.sqrt(10))
    assert loss == pytest.approx(0.0 if what == "void" else share * math.log(2), rel=1e-5)


def test_loss_teaches_the_branch_where_the_network_errs() -> None:
    """A network that takes class 2 for class 1: the branch learns that pixels called 1 are hard."""
    torch.manual_seed(0)
    label = torch.randint(0, 3, (2, 12, 16), dtype=torch.uint8)
    logits = 6 * functional.one_hot(label.long().clamp_max(1), 3).permute(0, 3, 1, 2).float()
    branch = DifficultyBranch(3, size=(12, 16), detached=True)
    optimizer = torch.optim.Adam(branch.parameters(), 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        difficulty_loss(branch(logits), logits, label).backward()
        optimizer.step()
    judged = branch(logits).sigmoid()
    assert judged[label == 0].max() < 0.2 < 0.45 < judged[label != 0].min()


def test_score_is_the_mean() -> None:
    assert difficulty_score(np.array([[0.1, 0.5], [0.2, 0.4]], np.float32)) == pytest.approx(0.3)


def test_entropy_of_equal_levels_is_the_logarithm_of_their_number() -> None:
    ramp = np.linspace(0, 1, 80, dtype=np.float32).reshape(8, 10)
    assert difficulty_entropy(ramp, levels=8) == pytest.approx(math.log(8))
    assert difficulty_entropy(ramp, levels=8, fixed=True) == pytest.approx(math.log(8))


def test_own_range_hides_absolute_difficulty_and_fixed_levels_show_it() -> None:
    easy = np.linspace(0.01, 0.02, 80, dtype=np.float32).reshape(8, 10)
    assert difficulty_entropy(easy, levels=8) == pytest.approx(math.log(8))
    assert difficulty_entropy(easy, levels=8, fixed=True) == 0.0


@pytest.mark.parametrize("fixed", [False, True])
def test_entropy_of_a_constant_map_is_zero(fixed: bool) -> None:
    assert difficulty_entropy(np.full((4, 4), 0.3, np.float32), fixed=fixed) == 0.0


def test_entropy_of_two_levels_is_that_of_a_coin() -> None:
    halves = np.array([[0.0] * 3 + [1.0]], np.float32)
    assert difficulty_entropy(halves, levels=10) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
