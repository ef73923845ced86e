"""DeepLabv3+ as VainF/DeepLabV3Plus-Pytorch publishes it: a training checkpoint that holds ``model_state``."""

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
    ("backbone.low_level_features.", "backbone.features."),
    ("backbone.high_level_features.", "backbone.features."),
    ("classifier.classifier.3.", "CLASSES."),
    ("classifier.classifier.", "fuse."),
    ("classifier.aspp.", "aspp."),
    ("classifier.project.", "reduce."),
    ("CLASSES.", "classifier."),
)


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``.

    The output stride is not in the file; it is 16, the one of the published training.
    """
    tensors = read_state_dict(path)
    num_classes = class_count(tensors, "classifier.classifier.3.weight", 0, path, "deeplab-vainf")
    options: Options = {"backbone": "resnet50", "output_stride": 16}
    if "backbone.low_level_features.0.0.weight" in tensors:
        options = {"backbone": "mobilenetv2", "output_stride": 16, "pad_first": True}
    elif "backbone.layer3.22.conv1.weight" in tensors:
        options["backbone"] = "resnet101"
    return assemble("deeplabv3plus", num_classes, options, rename(tensors, *_RULES), path)


FORMAT = PublishedFormat(
    network="deeplabv3plus",
    read=read,
    meanings={19: Meaning("cityscapes", (), (1024, 2048))},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
