from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgeseg import nets
from edgeseg.nets.beside_pool import BesidePool, widening
from edgeseg.nets.deployable import deployable, last_doubling
from edgeseg.nets.doubling import Doubling, can_double


def settled(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A norm with statistics, scales of both signs among them."""
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
        assert tensor is not None
        tensor.normal_()
    assert norm.running_var is not None
    norm.running_var.uniform_(0.5, 2.0)
    return norm.eval()


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("slopes", [None, 1, 5])
def test_doubling_is_the_transposed_convolution_with_norm_and_activation(
    kernel: int, bias: bool, slopes: int | None
) -> None:
    torch.manual_seed(0)
    conv = nn.ConvTranspose2d(3, 5, kernel, stride=2, padding=kernel - 2, output_padding=kernel - 2, bias=bias)
    norm = settled(nn.BatchNorm2d(5, eps=1e-3))
    activation = nn.PReLU(slopes) if slopes else nn.ReLU()
    if isinstance(activation, nn.PReLU):
        activation.weight.data.uniform_(-0.5, 0.9)
    assert can_double(conv)
    doubling = Doubling(conv, norm, activation)
    features = torch.randn(2, 3, 4, 7)
    expected = activation(norm(conv(features)))
    torch.testing.assert_close(doubling(features), expected, rtol=1e-5, atol=1e-5)
    blocks = doubling.blocks.reshape(2, 5, 4, 4, 7)
    torch.testing.assert_close(blocks[:, :, 1], expected[:, :, 0::2, 1::2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(2, 2, 2, stride=2),
        nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1),
        nn.ConvTranspose2d(2, 2, 2, stride=2, groups=2),
        nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1),
    ],
)
def test_other_layers_are_left_alone(conv: nn.Module) -> None:
    assert not can_double(conv)


@pytest.mark.parametrize("bias", [False, True])
def test_sum_beside_pool_is_the_joined_and_normalised_pair(bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 7, 3, stride=2, padding=1, bias=bias)
    norm = settled(nn.BatchNorm2d(10))
    images = torch.randn(2, 3, 8, 12)
    expected = functional.relu(norm(torch.cat([conv(images), functional.max_pool2d(images, 2)], 1)))
    torch.testing.assert_close(BesidePool(conv, norm, nn.ReLU())(images), expected, rtol=1e-5, atol=1e-5)


def test_widening_adds_zero_channels() -> None:
    features = torch.randn(1, 3, 4, 4)
    assert torch.equal(widening(3, 5)(features), functional.pad(features, (0, 0, 0, 0, 0, 2)))


@pytest.mark.parametrize(
    ("name", "options"),
    [("enet", {}), ("enet", {"layout": "davidtvs"}), ("erfnet", {}), ("icnet", {"backbone": "resnet18"})],
)
def test_deployed_form_is_the_same_function_and_leaves_the_network_alone(name: str, options: dict[str, str]) -> None:
    torch.manual_seed(0)
    net = nets.build(name, 4, **options).eval()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    form = deployable(net)
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected, found = net(images), form(images)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(net(images), expected, rtol=0, atol=0)
    assert net.state_dict().keys() == before.keys()
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in form.modules())
    assert (last_doubling(form) is None) == (name == "icnet")
