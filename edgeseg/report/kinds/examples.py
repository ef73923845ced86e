"""Example frames of a dataset, and items of a spool, as pictures of a bounded size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.classes import ClassMap
from edgeseg.datasets import Dataset
from edgeseg.errors import EdgesegError
from edgeseg.preprocess import resize_nearest
from edgeseg.report import pictures
from edgeseg.report.page import Figure, Gallery, Legend, Section

WIDTH = 480
"""Pixels across; larger frames are reduced, smaller ones enlarged by a whole number."""
FRAMES = 3


def photo(image: NDArray[np.uint8], alt: str, caption: str = "") -> Figure:
    """A camera frame (H, W, 3) uint8 RGB."""
    small = _reduced(image)
    return pictures.photo(small, alt, caption, _enlarge(small.shape[1]))


def classes(label: NDArray[np.uint8], class_map: ClassMap, alt: str, caption: str = "") -> Figure:
    """A label map (H, W) uint8 of train ids."""
    height, width = _fitted(label.shape[0], label.shape[1])
    return pictures.class_picture(resize_nearest(label, height, width), class_map, alt, caption, _enlarge(width))


def heat(levels: NDArray[np.uint8], alt: str, caption: str = "") -> Figure:
    """An entropy map (H, W) uint8, 255 = log C."""
    share = _reduced(levels).astype(np.float32) / np.float32(255)
    return pictures.heat_picture(share, alt, caption, _enlarge(share.shape[1]))


def regions(image: NDArray[np.uint8], rings: Sequence[NDArray[np.floating]], alt: str, caption: str = "") -> Figure:
    """A frame (H, W, 3) with polygons, each (P, 2) of x, y in its pixels."""
    small = _reduced(image)
    scale = small.shape[1] / image.shape[1]
    return pictures.region_picture(small, [ring * scale for ring in rings], alt, caption, _enlarge(small.shape[1]))


def legend(class_map: ClassMap) -> Legend:
    """Names and colours of the classes."""
    return Legend(tuple((row.name, row.color) for row in class_map.classes))


def spread(count: int, wanted: int = FRAMES) -> list[int]:
    """Positions of a few of ``count`` samples, evenly spaced."""
    return sorted(set(np.linspace(0, count - 1, min(wanted, count), dtype=int).tolist())) if count else []


def dataset_section(spec: str) -> Section:
    """A few frames of a dataset with their labels; words in their place where it is not on this machine."""
    title = "Example frames"
    try:
        dataset = datasets.open(spec)
        rows = [_row(dataset, index) for index in spread(len(dataset))]
    except EdgesegError as error:
        return Section(title, f"The frames cannot be shown here: {error}")
    blocks = (legend(dataset.class_map), Gallery(tuple(rows))) if dataset.has_labels else (Gallery(tuple(rows)),)
    return Section(title, f"Of {spec}, {len(dataset)} frames.", blocks)


def _row(dataset: Dataset, index: int) -> tuple[Figure, ...]:
    name = dataset.sample_ids[index]
    frame = photo(dataset.image(index), f"Frame {name}", name)
    if not dataset.has_labels:
        return (frame,)
    return frame, classes(dataset.label(index), dataset.class_map, f"Label of frame {name}", "label")


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = _fitted(image.shape[0], image.shape[1])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _fitted(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, WIDTH / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _enlarge(width: int) -> int:
    return max(1, WIDTH // width)
