"""One's own images, masks and classes.yaml."""

from __future__ import annotations

from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.datasets.folder import EXAMPLE, read_classes
from edgeseg.errors import DataError


def test_folder_reads_a_list_of_names(examples: Any) -> None:
    dataset = datasets.open(f"folder:{examples.folder()}")
    assert dataset.sample_ids == ("images/a", "images/b")
    assert dataset.class_map.names == ("road", "car")
    assert dataset.class_map.classes[0].color != dataset.class_map.classes[1].color
    assert dataset.label(0)[0].tolist() == [0] * 5 + [1] * 5 + [255] * 5 + [0] * 5
    assert datasets.check(dataset).problems == ()


def test_folder_reads_a_full_table(examples: Any) -> None:
    root = examples.folder(
        "name: yard\n"
        "classes:\n"
        "  - {name: floor, color: [1, 2, 3], ids: [1]}\n"
        "  - {name: pallet, color: [4, 5, 6], ids: [0, 7]}\n"
        "ignored_ids: [255, 9]\n"
    )
    dataset = datasets.open(f"folder:{root}")
    assert dataset.class_map.name == "yard"
    assert dataset.class_map.palette[1].tolist() == [4, 5, 6]
    assert dataset.label(0)[0].tolist() == [1] * 5 + [0] * 5 + [255] * 5 + [1] * 5


def test_folder_example_in_the_message_can_be_used(examples: Any) -> None:
    path = examples.root / "classes.yaml"
    path.write_text(EXAMPLE.replace("[0, 255]", "[1, 255]"))
    assert read_classes(path).names == ("road", "car")


def test_folder_without_masks_has_no_labels(examples: Any) -> None:
    dataset = datasets.open(f"folder:{examples.folder(classes=None, masks=False)}")
    assert not dataset.has_labels
    assert datasets.check(dataset).to_dict()["labels"] == 0
    datasets.require_usable(dataset, labels=False)


def test_folder_with_masks_needs_classes(examples: Any) -> None:
    with pytest.raises(DataError, match=r"(?s)classes\.yaml: no such file.*an example:\nclasses:"):
        datasets.open(f"folder:{examples.folder(classes=None)}")


@pytest.mark.parametrize("text", ["", "road", "3", "{}", "classes: 3", "classes: [{color: [1, 2, 3]}]", "[a, a]", "[a"])
def test_folder_shows_an_example_for_malformed_classes(examples: Any, text: str) -> None:
    with pytest.raises(DataError, match=r"(?s)classes\.yaml: .*an example:"):
        datasets.open(f"folder:{examples.folder(text)}")


def test_folder_colors_of_named_classes_are_all_different(examples: Any) -> None:
    path = examples.root / "classes.yaml"
    path.write_text(f"[{', '.join(f'class{i}' for i in range(255))}]")
    assert len({row.color for row in read_classes(path).classes}) == 255


def test_folder_without_images_says_where_they_belong(examples: Any) -> None:
    with pytest.raises(DataError, match="no folder 'images' in it"):
        datasets.open(f"folder:{examples.root}")


def test_folder_reads_subfolders_and_takes_them_as_splits(examples: Any) -> None:
    root = examples.folder()
    examples.image(root / "images/night/c.jpg")
    examples.label(root / "masks/night/c.png", [1])
    assert datasets.open(f"folder:{root}").sample_ids == ("images/a", "images/b", "images/night/c")
    night = datasets.open(f"folder:{root}#night")
    assert night.sample_ids == ("images/night/c",)
    assert night.label(0).min() == 1
    with pytest.raises(DataError, match="no split 'day'; splits there: night"):
        datasets.open(f"folder:{root}#day")


def test_folder_explains_a_hash_in_its_own_name(examples: Any) -> None:
    root = examples.folder()
    with pytest.raises(DataError, match="end the spec with '#'"):
        datasets.open(f"folder:{root}#2")
