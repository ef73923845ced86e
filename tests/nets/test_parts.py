"""Layers with an independent counterpart in torch."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch.nn import functional

from edgeseg import nets
from edgeseg.nets import pooling
from edgeseg.nets.backbones import ResNet
from edgeseg.nets.icnet import pool_bins


@pytest.mark.parametrize("relu", [False, True])
def test_exported_pooling_is_bit_equal_to_torch(relu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.randn(2, 5, 8, 12)
    features = features.relu() if relu else features  # zeros tie, and the first one must win
    values = torch.randn(2, 5, 4, 6)
    expected, indices = functional.max_pool2d(features, 2, return_indices=True)
    monkeypatch.setattr(pooling, "_exporting", lambda: True)
    pooled, places = pooling.max_pool(features)
    assert torch.equal(pooled, expected)
    assert torch.equal(pooling.max_unpool(values, places), functional.max_unpool2d(values, indices, 2))


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [(6, 12), (7, 5), (3, 2)])
def test_pooled_bins_are_those_of_adaptive_pooling(bins: int, size: tuple[int, int]) -> None:
    features = torch.rand(2, 4, *size)
    torch.testing.assert_close(pool_bins(features, bins), functional.adaptive_avg_pool2d(features, bins))


@pytest.mark.parametrize(("stride", "held"), [(8, [False, True, True]), (16, [False, False, True])])
def test_held_stride_is_that_of_torchvision(stride: int, held: list[bool]) -> None:
    theirs = torchvision.models.resnet50(weights=None, replace_stride_with_dilation=held).eval()
    ours = ResNet("resnet50", output_stride=stride).eval()  # type: ignore[arg-type]
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        features = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
        expected = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(features))))
        torch.testing.assert_close(ours.stages(images, 4)[-1], expected)


def test_padding_changes_no_logit_far_from_the_border() -> None:
    net = nets.build("erfnet", 3).eval()
    images = torch.rand(1, 3, 256, 256)
    padded = functional.pad(images[:, :, :, :253], (0, 3, 0, 0), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(net(images[:, :, :, :253]), net(padded)[:, :, :, :253])


def test_icnet_computes_no_deep_stage_of_the_half_size_image() -> None:
    net, seen = nets.build("icnet", 3, backbone="resnet18").eval(), []
    net.backbone.layer2.register_forward_hook(lambda _, __, out: seen.append(("early", out.shape[2])))
    net.backbone.layer4.register_forward_hook(lambda _, __, out: seen.append(("deep", out.shape[2])))
    with torch.no_grad():
        net(torch.rand(1, 3, 64, 64))
    assert sorted(seen) == [("deep", 2), ("early", 2), ("early", 4)]
