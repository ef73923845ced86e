"""The India Driving Dataset."""

from __future__ import annotations

from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.datasets import cityscapes, idd
from edgeseg.errors import DataError


def test_idd_reads_both_parts(examples: Any) -> None:
    dataset = datasets.open(f"idd:{examples.idd()}#train")
    assert dataset.sample_ids == (
        "leftImg8bit/train/0/frame0000_leftImg8bit",
        "leftImg8bit/train/201/frame0012_leftImg8bit",
    )
    for index in range(2):
        assert dataset.label(index)[0].tolist() == [0] * 5 + [10] * 5 + [255] * 10
    assert datasets.check(dataset).problems == ()


def test_idd_maps_all_40_ids_to_the_cityscapes_classes() -> None:
    assert idd.CLASS_MAP.same_classes(cityscapes.CLASS_MAP)
    ids = [i for row in idd.CLASS_MAP.classes for i in row.ids] + list(idd.CLASS_MAP.ignored_ids)
    assert sorted(ids) == [*range(40), 255]
    assert {i: t for _, i, t in idd.LABELS if t} == {
        0: "road", 3: "sidewalk", 5: "terrain", 6: "person", 8: "rider", 9: "motorcycle", 10: "bicycle", 12: "car",
        13: "truck", 14: "bus", 17: "train", 20: "wall", 21: "fence", 24: "traffic sign", 25: "traffic light",
        26: "pole", 29: "building", 32: "vegetation", 33: "sky",
    }  # fmt: skip


def test_idd_tells_how_to_make_label_images(examples: Any) -> None:
    root = examples.idd()
    for path in root.rglob("*_labelids.png"):
        path.rename(path.with_name(path.name.replace("labelids", "labellevel3Ids")))
    dataset = datasets.open(f"idd:{root}#train")
    assert not dataset.has_labels
    with pytest.raises(DataError, match=r"createLabels\.py --id-type id"):
        datasets.require_usable(dataset)


def test_idd_refuses_unknown_ids(examples: Any) -> None:
    root = examples.idd()
    examples.label(root / "gtFine/val/7/009_gtFine_labelids.png", [0, 40])
    with pytest.raises(DataError, match=r"009_gtFine_labelids\.png: label values \[40\] are unknown"):
        datasets.open(f"idd:{root}#val").label(0)
