from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgeseg.errors import ConfigError
from edgeseg.teachers import combine
from edgeseg.teachers.ensemble import soften


def draw(teachers: int, classes: int, seed: int = 0) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    probs = [torch.softmax(3 * torch.randn(classes, 4, 5, generator=generator), dim=0) for _ in range(teachers)]
    return probs, torch.rand(teachers, classes, generator=generator)


def combine_slowly(probs: list[Tensor], weights: Tensor) -> Tensor:
    classes, height, width = probs[0].shape
    mixed = torch.zeros(classes, height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            for k in range(classes):
                over_teachers = sum(float(weights[i, k]) for i in range(len(probs)))
                for i, p in enumerate(probs):
                    c = float(weights[i, k]) / over_teachers if over_teachers else 1 / len(probs)
                    mixed[k, y, x] += c * float(p[k, y, x])
            mixed[:, y, x] /= sum(float(v) for v in mixed[:, y, x])
    return mixed


@pytest.mark.parametrize(("teachers", "classes"), [(1, 3), (2, 11), (3, 19)])
def test_combine_equals_the_formula_written_out(teachers: int, classes: int) -> None:
    probs, weights = draw(teachers, classes)
    weights[:, 1] = 0  # a class that no teacher scores
    mixed = combine(probs, weights)
    torch.testing.assert_close(mixed.double(), combine_slowly(probs, weights), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(mixed.sum(dim=0), torch.ones(4, 5))
    assert mixed.dtype == torch.float32


def test_one_teacher_is_itself_whatever_its_weights() -> None:
    probs, weights = draw(1, 5)
    torch.testing.assert_close(combine(probs, weights), probs[0])


def test_equal_weights_give_the_mean() -> None:
    probs, _ = draw(3, 5)
    torch.testing.assert_close(combine(probs, torch.full((3, 5), 0.7)), torch.stack(probs).mean(dim=0))


def test_all_zero_weights_give_the_mean() -> None:
    probs, _ = draw(3, 5)
    torch.testing.assert_close(combine(probs, torch.zeros(3, 5)), torch.stack(probs).mean(dim=0))


def test_closed_form_of_two_teachers() -> None:
    first, second = torch.tensor([0.8, 0.2]).view(2, 1, 1), torch.tensor([0.4, 0.6]).view(2, 1, 1)
    weights = torch.tensor([[0.9, 0.1], [0.3, 0.3]])
    # p̃ = (0.9·0.8 + 0.3·0.4) / 1.2 = 0.7 and (0.1·0.2 + 0.3·0.6) / 0.4 = 0.5
    torch.testing.assert_close(combine([first, second], weights).flatten(), torch.tensor([0.7 / 1.2, 0.5 / 1.2]))


def test_scale_of_a_class_weight_over_teachers_does_not_matter() -> None:
    probs, weights = draw(2, 4)
    torch.testing.assert_close(combine(probs, weights * torch.tensor([1.0, 1e-30, 5.0, 1e9])), combine(probs, weights))


def test_mass_in_classes_that_its_teacher_is_not_heard_on_falls_back_to_the_mean() -> None:
    probs = [torch.tensor([0.0, 1.0]).view(2, 1, 1), torch.tensor([1.0, 0.0]).view(2, 1, 1)]
    mixed = combine(probs, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(mixed.flatten(), torch.tensor([0.5, 0.5]))


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        (torch.ones(3, 5), r"class weights must be \(teachers, classes\), got \(3, 5\) for 2 teacher"),
        (torch.ones(2, 4), r"do not fit class weights"),
        (torch.full((2, 5), -1.0), r"not negative"),
        (torch.full((2, 5), math.nan), r"finite"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights: Tensor, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        combine(draw(2, 5)[0], weights)


def test_soften_closed_form_and_safety() -> None:
    logits = torch.tensor([6.0, 0.0]).view(2, 1, 1)
    torch.testing.assert_close(soften(logits, 3.0)[0].item(), 1 / (1 + math.exp(-2)))
    assert soften(torch.tensor([1e4, -1e4]).view(2, 1, 1), 0.1).flatten().tolist() == [1.0, 0.0]
    half = soften(torch.randn(5, 3, 3).half(), 4.0)
    assert half.dtype == torch.float32
