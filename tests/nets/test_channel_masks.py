"""Masks against torch's own dropout: the same channels dropped by the same draws give the same logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgeseg import nets
from edgeseg.dropout import all_kept, mask_length
from edgeseg.nets.channel_masks import ChannelMasks
from edgeseg.nets.deployable import deployable

CASES = (("enet", {}), ("enet", {"layout": "davidtvs"}), ("erfnet", {}))


@pytest.fixture(params=CASES, ids=lambda case: "-".join((case[0], *case[1].values())))
def net(request: pytest.FixtureRequest) -> nn.Module:
    name, options = request.param
    torch.manual_seed(0)
    made = nets.build(name, 5, **options).train()
    with torch.no_grad():
        for _ in range(5):
            made(torch.rand(2, 3, 64, 96))
    return made.eval()


def dropped_by_torch(net: nn.Module, image: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a pass in which torch's dropout drops, and what it multiplied every channel by, in order."""
    seen: list[torch.Tensor] = []
    dropouts = [m for m in net.modules() if isinstance(m, nn.Dropout2d)]

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if module.p > 0:  # type: ignore[operator]
            before, after = inputs[0].abs().sum((2, 3)), output.abs().sum((2, 3))
            # A channel of zeros is one whether it is dropped or not.
            seen.append(torch.where(before > 0, (after / before.clamp(min=1e-30) > 0.5) / (1 - module.p), 1.0))

    hooks = [module.register_forward_hook(note) for module in dropouts]
    for module in dropouts:
        module.train()
    torch.manual_seed(seed)
    with torch.no_grad():
        logits = net(image)
    for module in dropouts:
        module.eval()
    for hook in hooks:
        hook.remove()
    return logits, torch.cat(seen, 1)


def test_masks_give_what_torchs_dropout_gives(net: nn.Module) -> None:
    image = torch.rand(2, 3, 64, 96)
    expected, drawn = dropped_by_torch(net, image, seed=7)
    masks = ChannelMasks(net)
    assert mask_length(masks.layers) == drawn.shape[1]
    assert {0 < layer.probability < 1 for layer in masks.layers} == {True}
    with torch.no_grad(), masks.applied(drawn):
        got = net(image)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert not torch.allclose(net(image), expected, atol=1e-3), "the draws made a difference, and are gone"


def test_all_kept_is_the_plain_network_and_its_deployed_form_has_the_same_layers(net: nn.Module) -> None:
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = net(image)
    deployed = ChannelMasks(deployable(net))
    masks = ChannelMasks(net)
    assert deployed.layers == masks.layers
    with torch.no_grad(), masks.applied(torch.from_numpy(all_kept(masks.layers, 1))):
        assert torch.equal(net(image), expected)


def test_counting_leaves_the_network_as_it_was() -> None:
    net = nets.build("erfnet", 3).train()
    norm = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone()  # type: ignore[union-attr]
    ChannelMasks(net)
    assert net.training and all(module.training for module in net.modules())
    assert torch.equal(norm.running_mean, before)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"dropout": 0.0, "dropout_early": 0.0}])
def test_network_that_drops_nothing_has_no_layers(options: dict[str, Any]) -> None:
    assert ChannelMasks(nets.build("enet", 3, **options)).layers == ()
    assert ChannelMasks(nets.build("icnet", 3, backbone="resnet18").eval()).layers == ()


def test_masks_of_another_length_are_refused() -> None:
    masks = ChannelMasks(nets.build("enet", 3).eval())
    with pytest.raises(ValueError, match="masks of 7 channels for"), masks.applied(torch.from_numpy(np.ones((1, 7)))):
        pass
