"""Every published format against logits that its public implementation computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torchvision

from edgeseg.nets import published

PAIRS = [
    ("erfnet_eromera", "erfnet-eromera"),
    ("enet_davidtvs", "enet-davidtvs"),
    ("icnet_liminn", "icnet-liminn"),
    ("deeplabv3plus_mobilenet_vainf", "deeplab-vainf"),
    ("deeplabv3plus_resnet50_vainf", "deeplab-vainf"),
]


@pytest.mark.parametrize(("name", "format"), PAIRS)
def test_logits_are_those_of_the_public_implementation(name: str, format: str, reference: Any, tmp_path: Path) -> None:
    torch.save(reference.state_dict(name), tmp_path / "net.pth")
    images, expected = reference.input_and_logits(name)
    net = published.load(tmp_path / "net.pth", format)
    with torch.no_grad():
        assert np.abs(net(images).numpy() - expected).max() <= 1e-4


def test_torch7_network_gives_the_stored_class_map_and_logits(test_data: Path) -> None:
    stored = np.load(test_data / "reference/networks/enet_torch7_munster_000061_000019.npz")
    frame = cv2.imread(str(next((test_data / "data/cityscapes/leftImg8bit").rglob("munster_000061_000019*.png"))))
    assert frame is not None
    images = cv2.resize(frame, (1024, 512))[:, :, ::-1].astype(np.float32).transpose(2, 0, 1) / 255
    net = published.load(test_data / "pretrained/enet_cityscapes_torch7.net", "enet-torch7")
    with torch.no_grad():
        logits = net(torch.from_numpy(images[None]))[0].numpy()
    assert logits.shape == (20, 512, 1024)
    assert (logits.argmax(0) == stored["classmap"]).mean() >= 0.9999
    # Where the sky is saturated, maxima tie but for rounding, and one unpooled cell moves its neighbours.
    difference = np.abs(logits[:, ::8, ::8] - stored["logits_every_8"]).max(0)
    assert (difference <= 1e-4).mean() >= 0.99
    assert np.quantile(difference, 0.99) <= 1e-4


@pytest.mark.parametrize("aux", [False, True])
def test_torchvision_file_gives_torchvisions_logits_at_any_size(aux: bool, tmp_path: Path) -> None:
    theirs = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=21, aux_loss=aux
    ).eval()
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    ours, images = published.load(tmp_path / "net.pth", "deeplab-torchvision"), torch.rand(1, 3, 65, 97)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images)["out"])
    assert len(ours.aux_weights) == int(aux)
