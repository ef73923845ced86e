"""What every loss on soft labels keeps, whatever its formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgeseg.students.losses import ChannelWise, ClassWeightedKL, ForwardKL, Pairwise, ReverseKL, SoftLabelLoss

Make = Callable[..., SoftLabelLoss]
Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
LOSSES: dict[str, Make] = {
    "forward": ForwardKL,
    "reverse": ReverseKL,
    "class-weighted": lambda t, t_squared=True: ClassWeightedKL(t, torch.tensor([1.0, 2.0, 0.5, 4.0, 1.0]), t_squared),
    "cwd": ChannelWise,
    "pairwise": lambda t, t_squared=True: Pairwise(t, t_squared, cell=2),
}


@pytest.fixture(params=LOSSES)
def make(request: pytest.FixtureRequest) -> Make:
    return LOSSES[request.param]


@pytest.fixture(params=[name for name in LOSSES if name != "pairwise"])
def make_of_pixels(request: pytest.FixtureRequest) -> Make:
    """Without the loss of cells, which keep the mass of their pixels, and whose gradient falls faster with T."""
    return LOSSES[request.param]


def test_student_equal_to_its_teacher_costs_nothing(make: Make, sample: Sample) -> None:
    logits, _, mask = sample
    student = logits.clone().requires_grad_()
    loss = make(4)(student, (logits / 4).softmax(1), mask)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert student.grad is not None and student.grad.abs().max() < 1e-5


def test_any_other_student_costs_something(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    assert float(make(4)(logits, soft, mask)) > 0.01


def test_t_squared_is_a_factor(make: Make, sample: Sample) -> None:
    assert float(make(3)(*sample)) == pytest.approx(9 * float(make(3, t_squared=False)(*sample)), rel=1e-6)


def test_t_squared_holds_the_gradient_as_t_grows(make_of_pixels: Make, sample: Sample) -> None:
    """Hinton's reason for it, where teacher and student share T; without it the gradient would fall 100 times."""
    logits, _, _ = sample
    teacher = logits.flip(0)
    sizes = []
    for t in (20.0, 200.0):
        student = logits.clone().requires_grad_()
        make_of_pixels(t)(student, (teacher / t).softmax(1)).backward()
        assert student.grad is not None
        sizes.append(float(student.grad.norm()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.3)


def test_gradient_leads_to_the_teacher(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    student = logits.clone().requires_grad_()
    loss = make(2)
    start = float(loss(student, soft, mask).detach())
    optimizer = torch.optim.Adam([student], 0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss(student, soft, mask).backward()
        optimizer.step()
    assert float(loss(student, soft, mask).detach()) < 0.05 * start


def test_masked_pixels_have_no_influence_and_no_gradient(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    disturbed = torch.where(mask[:, None], logits, 100 * torch.randn_like(logits)).requires_grad_()
    loss = make(2)(disturbed, torch.where(mask[:, None], soft, soft.flip(1)), mask)
    loss.backward()
    assert loss.item() == pytest.approx(float(make(2)(logits, soft, mask)), rel=1e-5)
    assert disturbed.grad is not None
    assert not disturbed.grad.transpose(0, 1)[:, ~mask].any()
    assert bool(disturbed.grad.transpose(0, 1)[:, mask].any())


def test_pixels_without_soft_label_do_not_count(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    missing = torch.where(mask[:, None], soft, 0.0)
    assert float(make(2)(logits, missing)) == pytest.approx(float(make(2)(logits, soft, mask)), rel=1e-5)


def test_soft_labels_that_fade_into_padding_are_normalised(make_of_pixels: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    faded = soft.clone()
    faded[..., 2] *= 0.7
    loss = make_of_pixels(2)
    assert float(loss(logits, faded, mask)) == pytest.approx(float(loss(logits, soft, mask)), rel=1e-4)


def test_no_pixel_gives_zero_with_finite_gradient(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    student = logits.clone().requires_grad_()
    loss = make(2)(student, soft, torch.zeros_like(mask))
    loss.backward()
    assert loss.item() == 0.0
    assert student.grad is not None and not student.grad.any()


def test_extreme_logits_and_certain_teacher_stay_finite(make: Make) -> None:
    logits = (1000 * torch.eye(5).reshape(1, 5, 5, 1)).requires_grad_()
    loss = make(1)(logits, torch.eye(5).flip(0).reshape(1, 5, 5, 1))
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_bf16_autocast_changes_nothing_but_the_logits(make: Make, sample: Sample) -> None:
    logits, soft, mask = sample
    low = logits.bfloat16()
    expected = make(5)(low.float(), soft, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = make(5)(low, soft, mask)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_soft_labels_of_another_size_are_resized_to_the_logits(make: Make, sample: Sample) -> None:
    _, soft, _ = sample
    coarse = nn.functional.interpolate(soft, size=(2, 3), mode="bilinear", align_corners=False)
    logits = torch.randn(2, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    assert float(make(3)(logits, soft)) == pytest.approx(float(make(3)(logits, coarse)), rel=1e-5)
