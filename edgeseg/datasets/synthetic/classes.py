"""The drawn scene's classes: CamVid's eleven, so that models trained on one can be tried on the other."""

from __future__ import annotations

from edgeseg.classes import ClassMap, SegmentationClass

_COLORS = {
    "sky": (70, 130, 180),
    "building": (128, 64, 48),
    "pole": (200, 200, 128),
    "road": (128, 64, 128),
    "pavement": (244, 150, 222),
    "tree": (107, 142, 35),
    "sign": (250, 200, 30),
    "fence": (150, 130, 170),
    "car": (30, 60, 200),
    "pedestrian": (220, 20, 60),
    "bicyclist": (0, 170, 170),
}

CLASS_MAP = ClassMap("synthetic", tuple(SegmentationClass(n, c, (i,)) for i, (n, c) in enumerate(_COLORS.items())))
"""Eleven classes; label values are train ids, 255 is ignored."""

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
"""Train ids."""
