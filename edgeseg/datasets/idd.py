"""India Driving Dataset (segmentation, parts I and II), read as the 19 Cityscapes classes.

    PATH/leftImg8bit/SPLIT/DRIVE/NAME_leftImg8bit.png      (part II: .jpg)
    PATH/gtFine/SPLIT/DRIVE/NAME_gtFine_labelids.png

The dataset ships polygons; its public code (AutoNUE/public-code) makes the label images of official ids.
"""

from __future__ import annotations

from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass
from edgeseg.datasets import cityscapes
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.pairs import Layout, existing_folder, open_splits, subfolders

SPLITS = ("train", "val", "test")
LABEL_ENDING = "_gtFine_labelids.png"

LABELS: tuple[tuple[str, int, str | None], ...] = (
    ("road", 0, "road"),
    ("parking", 1, None),
    ("drivable fallback", 2, None),
    ("sidewalk", 3, "sidewalk"),
    ("rail track", 4, None),
    ("non-drivable fallback", 5, "terrain"),
    ("person", 6, "person"),
    ("animal", 7, None),
    ("rider", 8, "rider"),
    ("motorcycle", 9, "motorcycle"),
    ("bicycle", 10, "bicycle"),
    ("autorickshaw", 11, None),
    ("car", 12, "car"),
    ("truck", 13, "truck"),
    ("bus", 14, "bus"),
    ("caravan", 15, None),
    ("trailer", 16, None),
    ("train", 17, "train"),
    ("vehicle fallback", 18, None),
    ("curb", 19, None),
    ("wall", 20, "wall"),
    ("fence", 21, "fence"),
    ("guard rail", 22, None),
    ("billboard", 23, None),
    ("traffic sign", 24, "traffic sign"),
    ("traffic light", 25, "traffic light"),
    ("pole", 26, "pole"),
    ("polegroup", 27, None),
    ("obs-str-bar-fallback", 28, None),
    ("building", 29, "building"),
    ("bridge", 30, None),
    ("tunnel", 31, None),
    ("vegetation", 32, "vegetation"),
    ("sky", 33, "sky"),
    ("fallback background", 34, None),
    ("unlabeled", 35, None),
    ("ego vehicle", 36, None),
    ("rectification border", 37, None),
    ("out of roi", 38, None),
    ("license plate", 39, None),
)
"""Official name, official id, Cityscapes class by the dataset's own table (its column csTrainId)."""

CLASS_MAP = ClassMap(
    "idd",
    tuple(
        SegmentationClass(row.name, row.color, tuple(i for _, i, target in LABELS if target == row.name))
        for row in cityscapes.CLASS_MAP.classes
    ),
    ignored_ids=(*(i for _, i, target in LABELS if target is None), IGNORE_INDEX),
)
"""The 19 Cityscapes classes, read from images of official IDD ids."""


def open_idd(path: str, split: str | None) -> Dataset:
    """Opens IDD; without a split, all splits that have labels.

    Raises:
        DataError: The folder, the split or its images are missing.
    """
    root = existing_folder("idd", path)
    form = f"gtFine/SPLIT/DRIVE/*{LABEL_ENDING}; make them with the dataset's public code: createLabels.py --id-type id"
    layout = Layout("idd", root, CLASS_MAP, form)
    present = [name for name in SPLITS if name in subfolders(root / "leftImg8bit")]
    return open_splits(layout, split, present, lambda name: cityscapes.list_gtfine(root, name, LABEL_ENDING))
