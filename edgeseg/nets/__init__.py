"""Networks: one file each, a registry, checkpoints and the formats of published weights."""

from __future__ import annotations

from edgeseg.nets import published
from edgeseg.nets.backbone_weights import load_backbone
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.checkpoint import Checkpoint, initialize, load_checkpoint, read_info, save_checkpoint
from edgeseg.nets.registry import build, names

__all__ = [
    "Checkpoint",
    "SegmentationNet",
    "build",
    "initialize",
    "load_backbone",
    "load_checkpoint",
    "names",
    "published",
    "read_info",
    "save_checkpoint",
]
