"""Entropy gathered over superpixels, of which whole ones are chosen."""

from __future__ import annotations

from typing import ClassVar

from edgeseg.device.partition import RegionKind
from edgeseg.device.strategies.entropy import Entropy


class Superpixel(Entropy):
    """The frame by its mean pixel entropy, each superpixel by the sum (or mean) of its pixels' entropies.

    Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter 3.2.
    """

    name: ClassVar[str] = "superpixel"
    own_regions: ClassVar[RegionKind] = "superpixel"
