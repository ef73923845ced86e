"""A small queue that is out for labeling, and label maps that a person might draw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.queue.fleet import CLASSES, Uploads, blob, png
from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.selection import SelectSettings, select_items

SIZE, ITEMS = (180, 240), 4
Labels = dict[str, NDArray[np.uint8]]


def fleet_classes() -> ClassMap:
    """Classes of the fleet's model."""
    rows = [SegmentationClass(name, (40 * i + 10, 255 - 30 * i, 7 * i), (i,)) for i, name in enumerate(CLASSES)]
    return ClassMap("fleet", tuple(rows))


def fill(work: Path, database: Database) -> None:
    """Uploads frames with class maps, takes them in, and selects all."""
    uploads = Uploads(work / "bucket")
    for number in range(ITEMS):
        bands = (np.add.outer(np.arange(SIZE[0]) // 30, np.arange(SIZE[1]) // 25) + number) % len(CLASSES)
        # Single pixels of another class: every region has holes, and pieces that lie apart.
        bands[1::4, 1::4] = (bands[1::4, 1::4] + 1) % len(CLASSES)
        maps = {"image": png(*SIZE, seed=number), "classes": _png(bands.astype(np.uint8))}
        for content in maps.values():
            uploads.put(blob("image", content)["key"], content)
        blobs = [blob(kind, content) for kind, content in maps.items()]
        uploads.add(number, picture=maps["image"], frame=SIZE, blobs=blobs)
    ingest(str(work / "bucket"), database)
    select_items(SelectSettings(budget_frames=ITEMS, batch="one"), database)


def draw(item_ids: list[str]) -> Labels:
    """What a person might draw: discs over each other, and on every second frame single pixels."""
    labels = {}
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for number, item_id in enumerate(item_ids):
        rng = np.random.default_rng(number)
        label = np.full(SIZE, IGNORE_INDEX, np.uint8)
        for _ in range(12):
            centre = rng.integers(0, SIZE, 2)
            label[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < rng.integers(4, 60) ** 2] = rng.integers(len(CLASSES))
        speckled = rng.random(SIZE) < 0.02 * (number % 2)
        label[speckled] = rng.integers(0, len(CLASSES), int(speckled.sum()))
        labels[item_id] = label
    return labels


def _png(image: NDArray[np.uint8]) -> bytes:
    done, content = cv2.imencode(".png", image)
    assert done
    return bytes(content.tobytes())
