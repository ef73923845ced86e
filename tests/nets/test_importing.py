from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from edgeseg import nets
from edgeseg.classes import ClassMap
from edgeseg.datasets import cityscapes
from edgeseg.errors import ConfigError, ModelError
from edgeseg.nets.importing import ImportSettings, import_published

ClassMapOf = Callable[[int], ClassMap]


@pytest.fixture(scope="module")
def deeplab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torchvision file with four outputs, whose meaning is not known."""
    path = tmp_path_factory.mktemp("deeplab") / "net.pth"
    factory = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large
    torch.save(factory(weights=None, weights_backbone=None, num_classes=4).state_dict(), path)
    return path


def convert(path: Path, out: Path, **settings: Any) -> None:
    import_published(path, "deeplab-torchvision", out, ImportSettings(**settings))


def test_given_meaning_overrides_the_defaults(deeplab: Path, tmp_path: Path, class_map_of: ClassMapOf) -> None:
    out = tmp_path / "net.edgeseg"
    convert(deeplab, out, class_map=class_map_of(3), drop=(1,), size=(64, 96), mean=(0.1, 0.2, 0.3), resize="crop")
    found, whole = nets.load_checkpoint(out), nets.published.load(deeplab, "deeplab-torchvision")
    assert found.info.class_map == class_map_of(3)
    assert found.info.preprocess.size == (64, 96)
    assert found.info.preprocess.mean == (0.1, 0.2, 0.3)
    assert found.info.preprocess.std == (0.229, 0.224, 0.225)
    assert found.info.preprocess.resize == "crop"
    assert found.info.extra["imported"]["dropped_outputs"] == [1]
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(found.net(images), whole(images)[:, [0, 2, 3]])


@pytest.mark.parametrize(
    ("count", "settings", "error", "message"),
    [
        (None, {}, ModelError, "has 4 outputs, and what they mean is not known; name them with --class-map"),
        (3, {"size": (64, 96)}, ModelError, "has 4 outputs, 0 of them dropped, but class map 'test' has 3 classes"),
        (4, {}, ConfigError, "the input size of a network with 4 outputs is not known; give --size HxW"),
        (3, {"size": (64, 96), "drop": (4,)}, ConfigError, r"--drop \[4\]: .* has the outputs 0 to 3"),
        (4, {"size": (0, 96)}, ConfigError, "size must be positive"),
        (4, {"size": (64, 96), "std": (0.0, 1.0, 1.0)}, ConfigError, "std must be positive"),
    ],
)
def test_meaning_that_does_not_fit_is_refused(
    count: int | None,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
    deeplab: Path,
    tmp_path: Path,
    class_map_of: ClassMapOf,
) -> None:
    out = tmp_path / "net.edgeseg"
    with pytest.raises(error, match=message):
        convert(deeplab, out, class_map=class_map_of(count) if count else None, **settings)
    assert not out.exists()


def test_published_enet_loses_its_unlabeled_output(test_data: Path, tmp_path: Path) -> None:
    source, out = test_data / "pretrained/enet_cityscapes_torch7.net", tmp_path / "enet.edgeseg"
    report = import_published(source, "enet-torch7", out)
    found, whole = nets.load_checkpoint(out), nets.published.load(source, "enet-torch7")
    assert report.dropped == (0,)
    assert found.info.class_map.same_classes(cityscapes.CLASS_MAP)
    assert found.info.preprocess.size == (512, 1024)
    assert (found.info.preprocess.mean, found.info.preprocess.std) == ((0.0,) * 3, (1.0,) * 3)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found.net(images), whole(images)[:, 1:])


def test_published_erfnet_loses_its_last_output(reference: Any, tmp_path: Path) -> None:
    torch.save(reference.state_dict("erfnet_eromera"), tmp_path / "erfnet.pth")
    report = import_published(tmp_path / "erfnet.pth", "erfnet-eromera", tmp_path / "erfnet.edgeseg")
    assert report.dropped == (19,)
    assert report.classes == cityscapes.CLASS_MAP.names
    assert nets.load_checkpoint(tmp_path / "erfnet.edgeseg").net.num_classes == 19
