"""ERFNet as Eromera/erfnet_pytorch publishes it: a state_dict, on Cityscapes with 20 outputs, the last of them void."""

from __future__ import annotations

import re
from pathlib import Path

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.published.format import Meaning, Options, PublishedFormat, assemble, class_count, rename
from edgeseg.nets.weights import read_state_dict


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``."""
    tensors = read_state_dict(path)
    num_classes = class_count(tensors, "decoder.output_conv.weight", 1, path, "erfnet-eromera")
    # The encoder's own classifier serves only its separate pre-training.
    used = {k: v for k, v in tensors.items() if not k.startswith("encoder.output_conv.")}
    used = {re.sub(r"^encoder\.layers\.(\d+)", lambda m: f"encoder.{int(m[1]) + 1}", k): v for k, v in used.items()}
    used = rename(
        used,
        ("encoder.initial_block.", "encoder.0."),
        ("decoder.layers.", "decoder."),
        ("decoder.output_conv.", "classifier."),
        (".bn", ".norm"),
        (".conv3x1_", ".tall"),
        (".conv1x3_", ".wide"),
    )
    return assemble("erfnet", num_classes, {}, used, path)


FORMAT = PublishedFormat(
    network="erfnet",
    read=read,
    meanings={20: Meaning("cityscapes", (19,), (512, 1024)), 19: Meaning("cityscapes", (), (512, 1024))},
)
