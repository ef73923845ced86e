"""No tool at all: images, what is asked for, and what the model thinks, as plain files; labels come back as such.

OUT/images/ITEM_ID.png         the frame
OUT/regions/ITEM_ID.png        255 where labels are asked for, 0 elsewhere
OUT/predictions/ITEM_ID.png    train ids where they are asked for and predicted, 255 elsewhere
OUT/classes.yaml               meaning of the train ids

BACK/labels/ITEM_ID.png, or BACK/labels/ANNOTATOR/ITEM_ID.png: train ids, 255 where nothing was labeled
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.datasets.labeled import write_classes
from edgeseg.errors import DataError
from edgeseg.files import write_atomic
from edgeseg.images import image_size, read_label, write_png
from edgeseg.queue.tools.task import Annotation, Task, predicted_masks
from edgeseg.queue.validation import MAX_PIXELS


def write_tasks(tasks: Iterable[Task], classes: ClassMap, out: Path) -> list[str]:
    """Writes the files of tasks; ids of the items."""
    ids = []
    for task in tasks:
        predicted = np.full(task.size, IGNORE_INDEX, np.uint8)
        for _, cls, _, mask in predicted_masks(task):
            predicted[mask] = cls
        write_atomic(out / "images" / f"{task.id}.png", task.image)
        write_png(out / "regions" / f"{task.id}.png", task.where.astype(np.uint8) * 255)
        write_png(out / "predictions" / f"{task.id}.png", predicted)
        ids.append(task.id)
    write_classes(classes, out)
    return ids


def read_labels(path: Path, classes: ClassMap) -> Iterator[Annotation]:
    """Labels that lie in ``PATH/labels``.

    Raises:
        DataError: There are none, or one cannot be read or holds an unknown train id.
    """
    root = path / "labels"
    files = sorted(root.rglob("*.png"))
    if not files:
        raise DataError(f"{root}: no labels there; put them into labels/ITEM_ID.png or labels/ANNOTATOR/ITEM_ID.png")
    for file in files:
        height, width = image_size(file)
        if height * width > MAX_PIXELS:
            raise DataError(f"{file}: {height}x{width} pixels is above the bound of {MAX_PIXELS}")
        label = read_label(file)
        unknown = sorted(set(np.unique(label).tolist()) - set(range(classes.num_classes)) - {IGNORE_INDEX})
        if unknown:
            raise DataError(f"{file}: holds {unknown}, but train ids are 0 to {classes.num_classes - 1}, and 255")
        annotator = None if file.parent == root else file.parent.relative_to(root).as_posix()
        yield Annotation(file.stem, annotator, None, label)
