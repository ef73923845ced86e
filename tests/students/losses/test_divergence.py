from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg.compiled import compiled, exp, log
from edgeseg.students.losses import divergence as module
from edgeseg.students.losses.soft_label_loss import Targets


@pytest.fixture
def targets() -> Targets:
    """Soft labels (3, 7, 20, 37), a part of them padding, another not counted."""
    generator = torch.Generator().manual_seed(1)
    probs = torch.randn(3, 7, 20, 37, generator=generator).mul(4).softmax(1)
    probs[:, 2, :5] = 0
    probs[:, :, :, 30:] *= 0.7
    probs[1, :, 10:] = 0
    mass = probs.sum(1)
    return Targets(probs, mass, (mass > 0.5) & (torch.rand(3, 20, 37, generator=generator) > 0.2))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("temperature", "threads"), [(1.0, 1), (4.0, 2)])
def test_compiled_pass_gives_value_and_gradient_of_the_operators(
    targets: Targets, memory_format: torch.memory_format, temperature: float, threads: int
) -> None:
    drawn = 6 * torch.randn(3, 7, 20, 37, generator=torch.Generator().manual_seed(2))
    drawn[0, 0, 0, 0] = 500.0
    weights = torch.tensor([1.0, 2.0, 0.0, 0.3, 9.0, 1.0, 1.0])
    before, found = torch.get_num_threads(), []
    try:
        torch.set_num_threads(threads)
        for way in (module.divergence, module.by_operators):
            logits = drawn.clone(memory_format=memory_format).requires_grad_()
            total = way(logits, temperature, targets, weights)
            (0.5 * total).backward()
            assert logits.grad is not None
            found.append((total.detach(), logits.grad))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=0)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_show(targets: Targets, bad: float) -> None:
    logits = torch.zeros(3, 7, 20, 37)
    logits[0, 1, 0, :] = bad
    assert not module.divergence(logits, 1.0, targets, torch.ones(7)).isfinite()


@compiled
def of_all(numbers, exponentials, logarithms):  # type: ignore[no-untyped-def]
    for x in range(numbers.size):
        exponentials[x], logarithms[x] = exp(numbers[x]), log(abs(numbers[x]))


def test_exponential_and_logarithm_are_numpy_s() -> None:
    numbers = np.concatenate([np.linspace(-87, 87, 5000), np.geomspace(1e-37, 80, 5000)]).astype(np.float32)
    exponentials, logarithms = np.empty_like(numbers), np.empty_like(numbers)
    of_all(numbers, exponentials, logarithms)
    exact = numbers.astype(np.float64)
    np.testing.assert_allclose(exponentials, np.exp(exact), rtol=5e-6)
    np.testing.assert_allclose(logarithms, np.log(np.abs(exact)), rtol=2e-7, atol=2e-7)
