from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from edgeseg import nets
from edgeseg.errors import ConfigError, ModelError
from edgeseg.nets import backbone_weights

CASES = [
    ("icnet", {"backbone": "resnet18"}, "resnet18"),
    ("deeplabv3", {}, "resnet50"),
    ("deeplabv3", {"backbone": "mobilenet_v3_large"}, "mobilenet_v3_large"),
    ("deeplabv3plus", {}, "mobilenet_v2"),
    ("deeplabv3plus", {"pad_first": True}, "mobilenet_v2"),
    ("deeplabv3plus", {"backbone": "resnet50", "output_stride": 8}, "resnet50"),
]


@pytest.mark.parametrize(("name", "options", "backbone"), CASES)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_classifier_of_torchvision_fills_the_backbone_alone(
    name: str, options: dict[str, Any], backbone: str, suffix: str, tmp_path: Path
) -> None:
    path, theirs = tmp_path / f"weights{suffix}", torchvision.models.get_model(backbone, weights=None).state_dict()
    (save_file if suffix == ".safetensors" else torch.save)(theirs, path)
    net = nets.build(name, 5, **options)
    before = copy.deepcopy(net.state_dict())
    nets.load_backbone(net, path)
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith(net.backbone_path) for key in changed)
    for key, value in net.get_submodule(net.backbone_path).state_dict().items():
        assert torch.equal(value, theirs.get(key, theirs.get(f"features.{key}")))


def test_weights_of_another_backbone_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    with pytest.raises(ModelError, match=r"missing: .*conv3.*of another shape: layer1.*resnet50 is expected"):
        nets.load_backbone(nets.build("icnet", 5), path)


def test_network_without_backbone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ENet has no backbone"):
        nets.load_backbone(nets.build("enet", 5), tmp_path / "weights.pth")


def test_failed_download_names_address_and_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    with pytest.raises(ModelError, match=r"cannot download https://.*no network.*--backbone-weights"):
        nets.load_backbone(nets.build("icnet", 5, backbone="resnet18"), backbone_weights.PUBLISHED)
