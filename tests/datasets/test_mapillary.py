"""Mapillary Vistas v1.2 and v2.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.datasets import cityscapes
from edgeseg.datasets.mapillary import class_map_of
from edgeseg.datasets.mapillary_classes import TARGETS
from edgeseg.errors import DataError


def test_mapillary_v1_reads_config_json_and_labels_folder(examples: Any) -> None:
    dataset = datasets.open(f"mapillary:{examples.mapillary_v1()}#training")
    assert dataset.sample_ids == ("training/images/aB3_x-1",)
    assert dataset.class_map.same_classes(cityscapes.CLASS_MAP)
    # bird, curb, road, unlabeled
    assert dataset.label(0)[0].tolist() == [255] * 5 + [1] * 5 + [0] * 5 + [255] * 5
    assert datasets.check(dataset).problems == ()


def test_mapillary_v2_is_read_where_both_versions_lie(examples: Any) -> None:
    dataset = datasets.open(f"mapillary:{examples.mapillary_v2()}#validation")
    # road, car, sky, unlabeled
    assert dataset.label(0)[0].tolist() == [0] * 5 + [13] * 5 + [10] * 5 + [255] * 5


def test_mapillary_split_can_name_the_version(examples: Any) -> None:
    root = examples.mapillary_v2()
    dataset = datasets.open(f"mapillary:{root}#training/v1.2")
    assert dataset.label(0)[0].tolist() == [255] * 5 + [1] * 5 + [0] * 5 + [255] * 5
    with pytest.raises(DataError, match=r"version 'v3' is unknown; known: v2.0, v1.2"):
        datasets.open(f"mapillary:{root}#training/v3")


def test_mapillary_v2_with_a_plain_labels_folder(examples: Any) -> None:
    root = examples.root / "plain"
    examples.image(root / "training/images/k.jpg")
    names = ["nature--sky", "construction--structure--garage"]
    examples.vistas_config(root / "config_v2.0.json", names)
    examples.label(root / "training/labels/k.png", [0, 1])
    dataset = datasets.open(f"mapillary:{root}#training")
    assert dataset.label(0)[0].tolist() == [10] * 10 + [2] * 10


def test_mapillary_testing_has_no_labels(examples: Any) -> None:
    root = examples.mapillary_v1()
    assert not datasets.open(f"mapillary:{root}#testing").has_labels
    assert len(datasets.open(f"mapillary:{root}")) == 2


def test_mapillary_maps_all_124_classes_of_v2(examples: Any) -> None:
    path = examples.mapillary_v2() / "config_v2.0.json"
    known = class_map_of(path)
    ids = [i for row in known.classes for i in row.ids] + [i for i in known.ignored_ids if i != 255]
    assert sorted(ids) == list(range(124))
    assert all(row.ids for row in known.classes)


def test_mapillary_maps_all_66_classes_of_the_shipped_v1_config(test_data: Path) -> None:
    known = class_map_of(test_data / "data/mapillary/config_v1.2.json")
    by_name = {row.name: row.ids for row in known.classes}
    assert sorted([i for row in by_name.values() for i in row] + list(known.ignored_ids)) == [*range(66), 255]
    assert by_name["rider"] == (20, 21, 22)
    assert by_name["train"] == (58,)
    assert by_name["sky"] == (27,)


def test_mapillary_targets_are_cityscapes_classes() -> None:
    assert {target for target in TARGETS.values() if target} == set(cityscapes.CLASS_MAP.names)


def test_mapillary_lists_unknown_class_names(examples: Any) -> None:
    root = examples.mapillary_v1()
    examples.vistas_config(root / "config.json", ["nature--sky", "nature--moon", "object--rocket"])
    with pytest.raises(DataError, match=r"config\.json: .*unknown.*nature--moon, object--rocket"):
        datasets.open(f"mapillary:{root}#training")


@pytest.mark.parametrize("text", ["{}", "[]", '{"labels": 3}', '{"labels": [1]}', "{"])
def test_mapillary_names_a_malformed_config(examples: Any, text: str) -> None:
    root = examples.mapillary_v1()
    (root / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json: "):
        datasets.open(f"mapillary:{root}#training")


def test_mapillary_names_a_missing_config(examples: Any) -> None:
    root = examples.mapillary_v1()
    (root / "config.json").unlink()
    with pytest.raises(DataError, match=r"no config_v1\.2\.json or config\.json"):
        datasets.open(f"mapillary:{root}#training")


def test_mapillary_refuses_an_index_beyond_the_list(examples: Any) -> None:
    root = examples.mapillary_v1()
    examples.label(root / "training/labels/aB3_x-1.png", [0, 8], palette=True)
    with pytest.raises(DataError, match=r"aB3_x-1\.png: label values \[8\] are unknown"):
        datasets.open(f"mapillary:{root}#training").label(0)
