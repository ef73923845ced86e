"""Networks: one file each, a registry, checkpoints and the formats of published weights."""

from __future__ import annotations

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.registry import build, names

__all__ = ["SegmentationNet", "build", "names"]
