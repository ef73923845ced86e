"""Cityscapes: the tree, and the 34 + 1 labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg import datasets
from edgeseg.datasets.cityscapes import CLASS_MAP, LABELS
from edgeseg.errors import DataError

TRAIN_IDS = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13}
TRAIN_IDS |= {27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
"""Label id → train id, as the benchmark documents it."""


def test_cityscapes_class_map_follows_the_benchmark() -> None:
    ids = np.array([[*range(34), 255]], np.uint8)
    expected = [TRAIN_IDS.get(i, 255) for i in (*range(34), 255)]
    assert CLASS_MAP.encode(ids, "test")[0].tolist() == expected
    assert CLASS_MAP.names[:3] == ("road", "sidewalk", "building")
    assert CLASS_MAP.palette[13].tolist() == [0, 0, 142]


def test_cityscapes_table_train_ids_agree_with_the_map() -> None:
    assert {i: train_id for _, i, train_id, _ in LABELS if train_id != 255} == TRAIN_IDS


def test_cityscapes_reads_the_official_tree(examples: Any) -> None:
    dataset = datasets.open(f"cityscapes:{examples.cityscapes()}#val")
    assert dataset.sample_ids == (
        "leftImg8bit/val/frankfurt/frankfurt_000001_057181_leftImg8bit",
        "leftImg8bit/val/munster/munster_000061_000019_leftImg8bit",
    )
    assert dataset.label(1)[0].tolist() == [0] * 5 + [1] * 5 + [18] * 5 + [255] * 5
    assert datasets.check(dataset).problems == ()


def test_cityscapes_test_split_has_no_labels(examples: Any) -> None:
    root = examples.cityscapes()
    dataset = datasets.open(f"cityscapes:{root}#test")
    assert not dataset.has_labels
    datasets.require_usable(dataset, labels=False)
    with pytest.raises(DataError, match=r"needs labels and there are none \(gtFine/SPLIT/CITY"):
        datasets.require_usable(dataset)
    assert len(datasets.open(f"cityscapes:{root}")) == 3


def test_cityscapes_all_ignored_test_labels_cannot_be_trained_on(examples: Any) -> None:
    root = examples.cityscapes()
    examples.label(root / "gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png", [3, 0, 1])
    dataset = datasets.open(f"cityscapes:{root}#test")
    with pytest.raises(DataError, match="every pixel of every label is ignored"):
        datasets.require_usable(dataset)
    datasets.require_usable(dataset, labels=False)


def test_cityscapes_names_an_orphan_label(examples: Any) -> None:
    root = examples.cityscapes()
    (root / "leftImg8bit/val/munster/munster_000061_000019_leftImg8bit.png").unlink()
    report = datasets.check(datasets.open(f"cityscapes:{root}#val"))
    assert len(report.problems) == 1
    assert "munster_000061_000019_gtFine_labelIds.png: label without an image" in report.problems[0]


def test_cityscapes_real_frames(test_data: Path) -> None:
    dataset = datasets.open(f"cityscapes:{test_data}/data/cityscapes#val")
    assert len(dataset) == 5
    report = datasets.check(dataset)
    assert report.problems == ()
    assert report.sizes == {"1024x2048": 5}
    assert report.statistics.pixels.sum() + report.statistics.ignored_pixels == 5 * 1024 * 2048
