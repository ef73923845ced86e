"""ICNet as liminn/ICNet-pytorch publishes it: a state_dict on a ResNet-50 with a deep stem."""

from __future__ import annotations

from pathlib import Path

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.published.format import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Meaning,
    Options,
    PublishedFormat,
    assemble,
    class_count,
    rename,
)
from edgeseg.nets.weights import read_state_dict

_RULES = (
    ("pretrained.", "backbone."),
    ("head.conv_cls.", "classifier."),
    ("head.cff_12.", "fusion_half."),
    ("head.cff_24.", "fusion_quarter."),
    ("conv_low_cls.", "guide."),
    ("conv_low.", "coarse."),
    ("conv_high.", "fine."),
    *((f"conv_sub1.{i}.{old}.", f"detail.{i}.{new}.") for i in range(3) for old, new in (("conv", "0"), ("bn", "1"))),
)


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``."""
    tensors = read_state_dict(path)
    num_classes = class_count(tensors, "head.conv_cls.weight", 0, path, "icnet-liminn")
    used = {key: tensor for key, tensor in tensors.items() if not key.startswith("pretrained.fc.")}
    options = {"backbone": "resnet50", "deep_stem": True, "align_corners": True}
    return assemble("icnet", num_classes, options, rename(used, *_RULES), path)


FORMAT = PublishedFormat(
    network="icnet",
    read=read,
    meanings={19: Meaning("cityscapes", (), (1024, 2048))},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
