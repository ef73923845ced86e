"""Cityscapes in its own layout, and the 19 classes that everyone trains on.

    PATH/leftImg8bit/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
    PATH/gtFine/SPLIT/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png

The labels of the test split are not public: they are absent, or every pixel is ignored.
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.pairs import Layout, Listing, existing_folder, image_files, open_splits, pair_files, subfolders

SPLITS = ("train", "train_extra", "val", "test")
IMAGE_ENDING = "_leftImg8bit"
LABEL_ENDING = "_gtFine_labelIds.png"

# name, label id, train id (255: ignored), colour: cityscapesscripts/helpers/labels.py. The licence plate's id, -1,
# is 255 in an 8-bit image.
LABELS: tuple[tuple[str, int, int, tuple[int, int, int]], ...] = (
    ("unlabeled", 0, 255, (0, 0, 0)),
    ("ego vehicle", 1, 255, (0, 0, 0)),
    ("rectification border", 2, 255, (0, 0, 0)),
    ("out of roi", 3, 255, (0, 0, 0)),
    ("static", 4, 255, (0, 0, 0)),
    ("dynamic", 5, 255, (111, 74, 0)),
    ("ground", 6, 255, (81, 0, 81)),
    ("road", 7, 0, (128, 64, 128)),
    ("sidewalk", 8, 1, (244, 35, 232)),
    ("parking", 9, 255, (250, 170, 160)),
    ("rail track", 10, 255, (230, 150, 140)),
    ("building", 11, 2, (70, 70, 70)),
    ("wall", 12, 3, (102, 102, 156)),
    ("fence", 13, 4, (190, 153, 153)),
    ("guard rail", 14, 255, (180, 165, 180)),
    ("bridge", 15, 255, (150, 100, 100)),
    ("tunnel", 16, 255, (150, 120, 90)),
    ("pole", 17, 5, (153, 153, 153)),
    ("polegroup", 18, 255, (153, 153, 153)),
    ("traffic light", 19, 6, (250, 170, 30)),
    ("traffic sign", 20, 7, (220, 220, 0)),
    ("vegetation", 21, 8, (107, 142, 35)),
    ("terrain", 22, 9, (152, 251, 152)),
    ("sky", 23, 10, (70, 130, 180)),
    ("person", 24, 11, (220, 20, 60)),
    ("rider", 25, 12, (255, 0, 0)),
    ("car", 26, 13, (0, 0, 142)),
    ("truck", 27, 14, (0, 0, 70)),
    ("bus", 28, 15, (0, 60, 100)),
    ("caravan", 29, 255, (0, 0, 90)),
    ("trailer", 30, 255, (0, 0, 110)),
    ("train", 31, 16, (0, 80, 100)),
    ("motorcycle", 32, 17, (0, 0, 230)),
    ("bicycle", 33, 18, (119, 11, 32)),
    ("license plate", 255, 255, (0, 0, 142)),
)
"""The official 34 labels and the licence plate."""

CLASS_MAP = ClassMap(
    "cityscapes",
    tuple(SegmentationClass(name, color, (i,)) for name, i, train_id, color in LABELS if train_id != IGNORE_INDEX),
    ignored_ids=tuple(i for _, i, train_id, _ in LABELS if train_id == IGNORE_INDEX),
)
"""The 19 classes of the benchmark, read from labelIds images."""


def open_cityscapes(path: str, split: str | None) -> Dataset:
    """Opens Cityscapes; without a split, all splits that have labels.

    Raises:
        DataError: The folder, the split or its images are missing.
    """
    root = existing_folder("cityscapes", path)
    present = [name for name in SPLITS if name in subfolders(root / "leftImg8bit")]
    layout = Layout("cityscapes", root, CLASS_MAP, "gtFine/SPLIT/CITY/*_gtFine_labelIds.png")
    return open_splits(layout, split, present, lambda name: list_gtfine(root, name, LABEL_ENDING))


def list_gtfine(root: Path, split: str, label_ending: str) -> Listing:
    """Lists a split of the tree that Cityscapes and the India Driving Dataset share.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        split: Name of the split.
        label_ending: What a label's name has instead of ``_leftImg8bit`` and the extension.
    """
    folder, labels = root / "leftImg8bit" / split, root / "gtFine" / split
    images = [p for p in image_files(folder, recursive=True) if p.stem.endswith(IMAGE_ENDING)]
    existing = [p for p in image_files(labels, recursive=True) if p.name.endswith(label_ending)]

    def label_of(image: Path) -> Path:
        return labels / image.parent.relative_to(folder) / f"{image.stem.removesuffix(IMAGE_ENDING)}{label_ending}"

    return pair_files(split, folder, images, existing, label_of)
