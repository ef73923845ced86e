"""Runs with datumaro and CVAT's SDK, which know nothing of edgeseg: reads what was written, and paints it.

    python readers.py cvat|voc_segmentation|sdk PATH ANSWER.npz

Each frame's answer is (H, W) uint8: the number of the label in its reader's own list, 255 where there is none;
``labels`` holds that list.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np


def by_datumaro(path: str, form: str) -> tuple[list[str], dict[str, Any]]:
    from datumaro import AnnotationType, Dataset

    dataset = Dataset.import_from(path, form)
    names = [label.name for label in dataset.categories()[AnnotationType.label]]
    painted: dict[str, Any] = {}
    for item in dataset:
        masks = [a for a in item.annotations if a.type == AnnotationType.mask]
        label: Any = None
        for mask in sorted(masks, key=lambda mask: mask.z_order):
            pixels = mask.image.astype(bool)
            label = np.full(pixels.shape, 255, np.uint8) if label is None else label
            label[pixels] = mask.label
        painted[item.id] = label
    return names, painted


def by_sdk(path: str) -> tuple[list[str], dict[str, Any]]:
    from cvat_sdk.masks import decode_mask

    names: list[str] = []
    painted: dict[str, Any] = {}
    for image in ET.parse(path).getroot().iter("image"):
        height, width = int(image.attrib["height"]), int(image.attrib["width"])
        label = np.full((height, width), 255, np.uint8)
        for mask in image.iter("mask"):
            left, top = int(mask.attrib["left"]), int(mask.attrib["top"])
            right, bottom = left + int(mask.attrib["width"]) - 1, top + int(mask.attrib["height"]) - 1
            points = [*map(int, mask.attrib["rle"].split(",")), left, top, right, bottom]
            name = mask.attrib["label"]
            names += [] if name in names else [name]
            label[decode_mask(points, image_width=width, image_height=height)] = names.index(name)
        painted[Path(image.attrib["name"]).stem] = label
    return names, painted


if __name__ == "__main__":
    kind, path, answer = sys.argv[1:]
    names, painted = by_sdk(path) if kind == "sdk" else by_datumaro(path, kind)
    np.savez_compressed(answer, labels=np.array(names), **painted)
