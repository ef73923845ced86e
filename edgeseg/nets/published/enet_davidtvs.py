"""ENet as davidtvs/PyTorch-ENet publishes it: a training checkpoint with the state_dict inside."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.published.format import Meaning, Options, PublishedFormat, assemble, class_count, rename
from edgeseg.nets.weights import read_state_dict

_STAGES = {
    "stage1": "regular1_1 regular1_2 regular1_3 regular1_4",
    "stage2": "regular2_1 dilated2_2 asymmetric2_3 dilated2_4 regular2_5 dilated2_6 asymmetric2_7 dilated2_8",
    "stage3": "regular3_0 dilated3_1 asymmetric3_2 dilated3_3 regular3_4 dilated3_5 asymmetric3_6 dilated3_7",
    "stage4": "regular4_1 regular4_2",
    "stage5": "regular5_1",
}
_BLOCKS = tuple((f"{old}.", f"{stage}.{i}.") for stage, olds in _STAGES.items() for i, old in enumerate(olds.split()))
_RULES = (
    ("initial_block.main_branch.", "initial.conv."),
    ("initial_block.batch_norm.", "initial.norm."),
    ("initial_block.", "initial."),
    ("downsample1_0.", "down1."),
    ("downsample2_0.", "down2."),
    ("upsample4_0.", "up4."),
    ("upsample5_0.", "up5."),
    ("transposed_conv.", "classifier."),
    ("out_activation.", "activation."),
    ("main_conv1.", "shortcut."),
    ("ext_tconv1_bnorm.", "middle.1."),
    ("ext_tconv1.", "middle.0."),
    ("ext_conv1.", "reduce."),
)


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``."""
    tensors = read_state_dict(path)
    num_classes = class_count(tensors, "transposed_conv.weight", 1, path, "enet-davidtvs")
    tensors = rename(tensors, *_BLOCKS, *_RULES)
    return assemble("enet", num_classes, {"layout": "davidtvs"}, _rename_branches(tensors), path)


def _rename_branches(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # The expansion is ext_conv2 in upsampling blocks and ext_conv3 in all others.
    expansions = {key: "expand." if key.startswith("up") else "middle." for key in tensors}
    return {
        key.replace("ext_conv2.", expansions[key]).replace("ext_conv3.", "expand."): tensor
        for key, tensor in tensors.items()
    }


FORMAT = PublishedFormat(
    network="enet",
    read=read,
    meanings={
        12: Meaning("camvid", (11,), (360, 480)),
        20: Meaning("cityscapes", (0,), (512, 1024)),
        19: Meaning("cityscapes", (), (512, 1024)),
    },
)
