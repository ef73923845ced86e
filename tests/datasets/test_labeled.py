"""Labels that came back, as a dataset: its form, and what is told where it is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg import datasets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.datasets.labeled import read_lineage, write_classes
from edgeseg.errors import DataError, UsageError
from edgeseg.images import write_png

CLASSES = ClassMap("two", (SegmentationClass("road", (1, 2, 3), (7,)), SegmentationClass("a 'car'", (4, 5, 6), (9,))))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_classes(CLASSES, tmp_path)
    write_png(tmp_path / "images" / "a.png", np.zeros((2, 2, 3), np.uint8))
    write_png(tmp_path / "masks" / "a.png", np.array([[0, 1], [255, 0]], np.uint8))
    (tmp_path / "lineage").mkdir()
    (tmp_path / "lineage" / "a.json").write_text('{"vehicle": "car-1"}')
    return tmp_path


def test_masks_hold_train_ids(root: Path) -> None:
    dataset = datasets.open(f"labeled:{root}")
    assert dataset.sample_ids == ("images/a",)
    assert dataset.label(0).tolist() == [[0, 1], [255, 0]]
    assert dataset.class_map.names == ("road", "a 'car'")
    assert [row.color for row in dataset.class_map.classes] == [(1, 2, 3), (4, 5, 6)]


def test_it_also_reads_as_a_plain_folder(root: Path) -> None:
    assert (datasets.open(f"folder:{root}").label(0) == datasets.open(f"labeled:{root}").label(0)).all()


def test_lineage_is_read(root: Path) -> None:
    assert read_lineage(root, "a") == {"vehicle": "car-1"}
    with pytest.raises(DataError, match=r"b.json: cannot be read .*; import the labels again"):
        read_lineage(root, "b")


def test_a_split_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="labels that came back have no splits; leave #train away"):
        datasets.open(f"labeled:{root}#train")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder 'lineage' in it; name the folder given to queue import --out"):
        datasets.open(f"labeled:{tmp_path}")
