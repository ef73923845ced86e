"""DeepLabv3 as torchvision publishes it: a state_dict, with or without the auxiliary head."""

from __future__ import annotations

from pathlib import Path

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.published.format import IMAGENET_MEAN, IMAGENET_STD, Options, PublishedFormat, assemble, class_count
from edgeseg.nets.weights import read_state_dict


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``."""
    tensors = read_state_dict(path)
    num_classes = class_count(tensors, "classifier.4.weight", 0, path, "deeplab-torchvision")
    options: Options = {"backbone": "resnet50", "aux": any(key.startswith("aux_classifier.") for key in tensors)}
    if "backbone.0.0.weight" in tensors:
        options["backbone"] = "mobilenet_v3_large"
    elif "backbone.layer3.22.conv1.weight" in tensors:
        options["backbone"] = "resnet101"
    return assemble("deeplabv3", num_classes, options, {f"net.{k}": v for k, v in tensors.items()}, path)


FORMAT = PublishedFormat(
    network="deeplabv3",
    read=read,
    meanings={},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
