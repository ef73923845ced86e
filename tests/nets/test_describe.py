from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeseg import nets
from edgeseg.nets.describe import describe, describe_all


def counted_by_hand(net: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds of the convolutions, from their shapes as they run."""
    total = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        per_cell = module.weight[0].numel()
        cells = inputs[0].numel() // inputs[0].shape[1] if isinstance(module, nn.ConvTranspose2d) else None
        total += inputs[0].shape[1] * cells * per_cell if cells is not None else output.numel() * per_cell

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        net.eval()(torch.rand(1, 3, *size))
    return total


@pytest.mark.parametrize("name", ["enet", "erfnet", "deeplabv3plus"])
def test_work_is_that_of_the_convolutions(name: str) -> None:
    found = describe(name, (64, 96), 11)
    net = nets.build(name, 11)
    assert found.gflops == pytest.approx(counted_by_hand(net, (64, 96)) / 1e9)
    assert found.parameters == sum(parameter.numel() for parameter in net.parameters())


def test_icnet_shows_that_its_deep_stages_run_on_the_quarter_size_only() -> None:
    found = describe("icnet", (256, 512), backbone="resnet50")
    parts = dict(found.branch_gflops)
    skipped = parts.pop("half_deep_skipped")
    assert sum(parts.values()) == pytest.approx(found.gflops)
    assert list(parts) == ["quarter", "half", "full", "fusion"]
    assert skipped > 3 * parts["quarter"]
    assert parts["half"] < parts["quarter"]


def test_every_network_and_format_is_listed() -> None:
    found = describe_all((64, 64))
    assert {summary.name for summary in found} == set(nets.names())
    assert {name for summary in found for name in summary.formats} == set(nets.published.FORMATS)
    assert all(set(summary.to_dict()) >= {"name", "parameters", "gflops", "formats"} for summary in found)
