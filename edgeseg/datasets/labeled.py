"""Labels that came back from people, region by region, with their lineage.

    PATH/images/ITEM_ID.png     PATH/masks/ITEM_ID.png     PATH/classes.yaml
    PATH/lineage/ITEM_ID.json   who labeled which region of it, chosen by which model and policy of which vehicle
    PATH/annotations/ITEM_ID/   what each annotator drew, before it was merged

A mask's values are train ids, 255 where nothing is known; the folder also reads as ``folder:PATH``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeseg.classes import ClassMap
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.folder import CLASSES_FILE, read_classes
from edgeseg.datasets.pairs import FileDataset, Layout, existing_folder, image_files, pair_files
from edgeseg.errors import DataError, UsageError
from edgeseg.files import write_atomic

IMAGES, MASKS, LINEAGE, ANNOTATIONS = "images", "masks", "lineage", "annotations"


def open_labeled(path: str, split: str | None) -> Dataset:
    """Opens the folder that ``edgeseg queue import --out`` wrote.

    Raises:
        UsageError: A split is named; there are none.
        DataError: The folder has another form, or nothing was labeled yet.
    """
    if split is not None:
        raise UsageError(f"labeled:{path}#{split}: labels that came back have no splits; leave #{split} away")
    root = existing_folder("labeled", path)
    if not (root / LINEAGE).is_dir():
        raise DataError(f"labeled:{path}: no folder {LINEAGE!r} in it; name the folder given to queue import --out")
    images, masks = root / IMAGES, root / MASKS
    layout = Layout("labeled", root, read_classes(root / CLASSES_FILE), "masks/ITEM_ID.png")
    listing = pair_files(None, images, image_files(images), image_files(masks), lambda image: masks / image.name)
    return FileDataset(layout, [listing], None)


def read_lineage(root: Path, item_id: str) -> dict[str, Any]:
    """Where a sample's labels come from.

    Raises:
        DataError: It is missing or damaged.
    """
    path = root / LINEAGE / f"{item_id}.json"
    try:
        plain: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); import the labels again") from None
    return plain


def write_classes(classes: ClassMap, root: Path) -> None:
    """Writes a classes.yaml whose ids are the train ids.

    Raises:
        OutputError: The place cannot be written.
    """
    rows = [{"name": row.name, "color": list(row.color), "ids": [i]} for i, row in enumerate(classes.classes)]
    lines = [f"  - {json.dumps(row)}" for row in rows]
    text = "\n".join((f"name: {json.dumps(classes.name)}", "classes:", *lines, "ignored_ids: [255]", ""))
    write_atomic(root / CLASSES_FILE, text)
