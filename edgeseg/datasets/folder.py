"""One's own images: a folder of images, perhaps one of masks, and a file that names the classes.

    PATH/images/[SPLIT/]NAME.jpg        PATH/masks/[SPLIT/]NAME.png (optional)        PATH/classes.yaml

A mask's values are class indices, or the ids that classes.yaml gives them; 255 is ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg import config
from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass, voc_color
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.pairs import (
    FileDataset,
    Layout,
    Listing,
    existing_folder,
    image_files,
    open_splits,
    pair_files,
    subfolders,
)
from edgeseg.errors import ConfigError, DataError

CLASSES_FILE = "classes.yaml"
EXAMPLE = """\
classes:
  - road                                              # value 0
  - {name: car, color: [0, 0, 142], ids: [26, 27]}    # values 26 and 27
ignored_ids: [0, 255]
"""
"""A classes.yaml; a bare list of names is enough where the mask's values are 0, 1, 2, ..."""

UNNAMED = ClassMap("unnamed", (SegmentationClass("unnamed", (0, 0, 0), ()),))
"""Class map of a folder that has neither masks nor classes.yaml."""


def open_folder(path: str, split: str | None) -> Dataset:
    """Opens a folder of images; a split is a subfolder of ``images`` and ``masks``, without one all are read.

    Raises:
        DataError: The folder or its images are missing, or there are masks but no usable classes.yaml.
    """
    root = existing_folder("folder", path)
    images, masks = root / "images", root / "masks"
    if not images.is_dir():
        raise DataError(f"folder:{path}: no folder 'images' in it; put the images into {images}")
    layout = Layout("folder", root, _class_map(root, masks.is_dir()), "masks/NAME.png")
    if split is None:
        return FileDataset(layout, [_list(images, masks, None)], None)
    present = subfolders(images)
    if not present:
        raise DataError(
            f"folder:{path} has no splits, so {split!r} cannot be read; if the folder's own name holds '#', "
            f"end the spec with '#': folder:{path}#{split}#"
        )
    return open_splits(layout, split, present, lambda name: _list(images / name, masks / name, name))


def read_classes(path: Path) -> ClassMap:
    """Reads a classes.yaml: a list of names, or ``classes`` (names or name, color, ids) and ``ignored_ids``.

    A row without ids means its position in the list; a row without a colour gets one that differs from its neighbours'.

    Raises:
        DataError: The file is missing or has another form; the message shows an example.
    """
    try:
        document = config.read_document(path)
        plain = {"classes": document} if isinstance(document, list) else dict(document)
        rows = [_row(index, row) for index, row in enumerate(plain["classes"])]
        ignored = plain.get("ignored_ids", [IGNORE_INDEX])
        return ClassMap.from_dict(
            {"name": plain.get("name", path.parent.name), "classes": rows, "ignored_ids": ignored}
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not usable as a list of classes ({error}); an example:\n{EXAMPLE}") from None


def _class_map(root: Path, has_masks: bool) -> ClassMap:
    path = root / CLASSES_FILE
    if path.is_file():
        return read_classes(path)
    if has_masks:
        raise DataError(f"{path}: no such file, so the masks' values have no names; an example:\n{EXAMPLE}")
    return UNNAMED


def _row(index: int, row: Any) -> dict[str, Any]:
    plain = row if isinstance(row, dict) else {"name": row}
    return {"color": voc_color(index + 1), "ids": [index], **plain}


def _list(images: Path, masks: Path, split: str | None) -> Listing:
    return pair_files(
        split,
        images,
        image_files(images, recursive=True),
        image_files(masks, recursive=True),
        lambda image: (masks / image.relative_to(images)).with_suffix(".png"),
    )
