"""A queue in which some items are selected, with class and entropy maps, and the classes of their model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.queue.fleet import CLASSES, Uploads, blob, item_id, plain_record, png
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.selection import SelectSettings, select_items

SIZE = (48, 64)


@pytest.fixture
def classes() -> ClassMap:
    rows = [SegmentationClass(name, (40 * i + 10, 255 - 30 * i, 7 * i), (i,)) for i, name in enumerate(CLASSES)]
    return ClassMap("fleet", tuple(rows))


def class_map(number: int) -> np.ndarray:
    """What the model predicted: vertical bands, and a corner that it did not see."""
    bands = (np.arange(SIZE[1]) // 9 + number) % len(CLASSES)
    predicted = np.repeat(bands[None], SIZE[0], 0).astype(np.uint8)
    predicted[:3, :3] = 255
    return predicted


def entropy_map() -> np.ndarray:
    return np.repeat((np.arange(SIZE[0]) * 5)[:, None], SIZE[1], 1).astype(np.uint8)


def add_with_maps(uploads: Uploads, number: int) -> None:
    picture = png(seed=number)
    maps = {"image": picture, "classes": encoded(class_map(number)), "entropy": encoded(entropy_map())}
    for content in maps.values():
        uploads.put(blob("image", content)["key"], content)
    uploads.add(number, picture=picture, blobs=[blob(kind, content) for kind, content in maps.items()])


def encoded(image: np.ndarray) -> bytes:
    done, content = cv2.imencode(".png", image)
    assert done
    return content.tobytes()


@pytest.fixture
def selected(database: Database, uploads: Uploads) -> Database:
    """Three items of four are selected, each with two of its three regions."""
    for number in range(4):
        add_with_maps(uploads, number)
    ingest(str(uploads.folder), database)
    assert select_items(SelectSettings(budget_frames=3, regions_per_frame=2, batch="one"), database).frames == 3
    return database


@pytest.fixture
def model_map() -> dict[str, np.ndarray]:
    """The predicted class map of each item."""
    return {item_id(number): class_map(number) for number in range(4)}


@pytest.fixture
def regions_of() -> dict[str, list[dict]]:
    return {item_id(number): plain_record(number, b"")["regions"] for number in range(4)}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
