"""CamVid in the layout of the SegNet tutorial.

    PATH/train/NAME.png        PATH/trainannot/NAME.png      (also val, test; images may be JPEG)

Label values are class indices 0 to 10, and 11 for void.
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.pairs import Layout, Listing, existing_folder, image_files, open_splits, pair_files, subfolders

SPLITS = ("train", "val", "test")

_ROWS = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("pavement", (60, 40, 222)),
    ("tree", (128, 128, 0)),
    ("sign", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)

CLASS_MAP = ClassMap(
    "camvid",
    tuple(SegmentationClass(name, color, (train_id,)) for train_id, (name, color) in enumerate(_ROWS)),
    ignored_ids=(11, IGNORE_INDEX),
)
"""The eleven classes of SegNet's CamVid, in its order and colours."""


def open_camvid(path: str, split: str | None) -> Dataset:
    """Opens CamVid; without a split, all splits that have labels.

    Raises:
        DataError: The folder, the split or its images are missing.
    """
    root = existing_folder("camvid", path)
    present = [name for name in SPLITS if name in subfolders(root)]
    layout = Layout("camvid", root, CLASS_MAP, "SPLITannot/NAME.png")
    return open_splits(layout, split, present, lambda name: _list(root, name))


def _list(root: Path, split: str) -> Listing:
    folder, labels = root / split, root / f"{split}annot"
    return pair_files(
        split,
        folder,
        image_files(folder),
        image_files(labels),
        lambda image: labels / f"{image.stem}.png",
    )
