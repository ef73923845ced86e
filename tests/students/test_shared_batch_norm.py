"""A process alone; ``test_distributed`` has two."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgeseg.students.shared_batch_norm import SharedBatchNorm, share_batch_norms

CPU = torch.device("cpu")


def _pair(**options: Any) -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.BatchNorm2d(3, **options))
    if plain[0].affine:
        nn.init.normal_(plain[0].weight)
        nn.init.normal_(plain[0].bias)
    shared = nn.Sequential(nn.BatchNorm2d(3, **options))
    shared.load_state_dict(plain.state_dict())
    share_batch_norms(shared, CPU)
    assert isinstance(shared[0], SharedBatchNorm)
    return plain, shared


@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": None}, {"eps": 0.1, "momentum": 0.3}, {"affine": False}, {"track_running_stats": False}],
)
def test_it_is_torch_s_batch_norm_with_gradients_and_statistics(options: dict[str, Any]) -> None:
    plain, shared = _pair(**options)
    for _ in range(3):
        images = torch.randn(4, 3, 5, 6) * 3 + 7
        inputs = [images.clone().requires_grad_() for _ in range(2)]
        outputs = [net(x) for net, x in zip((plain, shared), inputs, strict=True)]
        assert torch.allclose(*outputs, atol=1e-5)
        for output in outputs:
            (output * torch.arange(6.0)).square().sum().backward()
        assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-4)  # type: ignore[arg-type]
    for one, two in zip(plain.parameters(), shared.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, rtol=1e-4)  # type: ignore[arg-type]
    assert plain.state_dict().keys() == shared.state_dict().keys()
    assert all(torch.allclose(t, shared.state_dict()[key]) for key, t in plain.state_dict().items())


def test_evaluation_uses_the_running_statistics() -> None:
    plain, shared = _pair()
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(plain.eval()(images), shared.eval()(images))


def test_large_mean_does_not_drown_the_variance() -> None:
    _, shared = _pair(affine=False)
    output = shared(torch.randn(8, 3, 16, 16) + 1000)
    assert output.std().item() == pytest.approx(1, abs=0.01)


def test_low_precision_goes_in_and_out_with_statistics_in_float32() -> None:
    _, shared = _pair()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = shared(torch.randn(4, 3, 5, 6, dtype=torch.bfloat16))
    assert output.dtype is torch.bfloat16
    assert shared[0].running_var.dtype is torch.float32


def test_parameters_stay_the_same_objects() -> None:
    net = nn.Sequential(nn.Sequential(nn.BatchNorm1d(4)), nn.BatchNorm2d(3)).eval()
    before = {name: id(tensor) for name, tensor in [*net.named_parameters(), *net.named_buffers()]}
    share_batch_norms(net, CPU)
    assert {name: id(tensor) for name, tensor in [*net.named_parameters(), *net.named_buffers()]} == before
    assert not net[0][0].training
    assert all(isinstance(norm, SharedBatchNorm) for norm in (net[0][0], net[1]))


def test_on_a_gpu_it_is_torch_s_own() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3))
    share_batch_norms(net, torch.device("cuda"))
    assert isinstance(net[0], nn.SyncBatchNorm)
