"""The check finds every kind of bad file, counts what is there, and goes through to the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeseg import datasets

IMAGE, LABEL = "train/0001TP_006690.png", "trainannot/0001TP_006690.png"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _wide_image(path: Path) -> None:
    Image.fromarray(np.zeros((12, 20), np.uint16)).save(path)


def _color_label(path: Path) -> None:
    Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(path)


def _text(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


BAD: list[tuple[str, Callable[[Any, Path], None], str]] = [
    ("missing label", lambda e, r: (r / LABEL).unlink(), f"{LABEL}: label of sample 'train/0001TP_006690' is missing"),
    ("orphan label", lambda e, r: (r / IMAGE).unlink(), f"{LABEL}: label without an image"),
    ("size mismatch", lambda e, r: e.label(r / LABEL, [0, 3], 13), f"{LABEL}: label is 13x20 but its image is 12x20"),
    ("truncated image", lambda e, r: _truncate(r / IMAGE), f"{IMAGE}: cannot be read as an image"),
    ("truncated label", lambda e, r: _truncate(r / LABEL), f"{LABEL}: cannot be read as an image"),
    ("empty image", lambda e, r: (r / IMAGE).write_bytes(b""), f"{IMAGE}: cannot be read as an image"),
    ("pointer for image", lambda e, r: _text(r / IMAGE), f"{IMAGE}: cannot be read as an image"),
    ("unknown value", lambda e, r: e.label(r / LABEL, [0, 12, 13]), f"{LABEL}: label values [12, 13] are unknown"),
    ("colour label", lambda e, r: _color_label(r / LABEL), f"{LABEL}: a label must be one channel"),
    ("16-bit label", lambda e, r: _wide_image(r / LABEL), f"{LABEL}: a label must be one channel of 8-bit"),
    ("16-bit image", lambda e, r: _wide_image(r / IMAGE), f"{IMAGE}: an image must have 8 bits a channel"),
]


@pytest.mark.parametrize(("harm", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_check_names_a_bad_file(examples: Any, harm: Callable[[Any, Path], None], message: str) -> None:
    root = examples.camvid()
    harm(examples, root)
    report = datasets.check(datasets.open(f"camvid:{root}#train"))
    assert len(report.problems) == 1, report.problems
    assert report.problems[0].startswith(f"{root}/{message}")


def test_check_tells_every_bad_file(examples: Any) -> None:
    root = examples.camvid()
    _truncate(root / IMAGE)
    (root / LABEL).unlink()
    examples.label(root / "trainannot/0016E5_07959.png", [99])
    problems = datasets.check(datasets.open(f"camvid:{root}#train")).problems
    assert len(problems) == 3


def test_check_counts_pixels_and_sizes(examples: Any) -> None:
    root = examples.camvid()
    examples.image(root / "train/c.png", height=24)
    examples.label(root / "trainannot/c.png", [1], height=24)
    report = datasets.check(datasets.open(f"camvid:{root}#train"))
    plain = json.loads(json.dumps(report.to_dict()))
    assert (plain["images"], plain["labels"], plain["problems"]) == (3, 3, [])
    assert plain["sizes"] == {"12x20": 2, "24x20": 1}
    # Two labels with stripes of 60 pixels, and one of 480 pixels of class 1.
    assert plain["classes"]["sky"] == {"pixels": 120, "share": 120 / 840, "images": 2}
    assert plain["classes"]["building"] == {"pixels": 480, "share": 480 / 840, "images": 1}
    assert plain["ignored_pixels"] == 120
    assert set(plain["absent_classes"]) == set(report.class_map.names) - {"sky", "road", "car", "building"}


def test_label_statistics_give_the_median_frequency_parts(examples: Any) -> None:
    root = examples.camvid()
    examples.image(root / "train/c.png", height=24)
    examples.label(root / "trainannot/c.png", [0, 1], height=24)
    dataset = datasets.open(f"camvid:{root}#train")
    found = datasets.label_statistics(dataset)
    labels = [dataset.label(i) for i in range(3)]
    for train_id in range(11):
        inside = [label for label in labels if (label == train_id).any()]
        assert found.pixels[train_id] == sum((label == train_id).sum() for label in labels)
        assert found.pixels_of_images_with_class[train_id] == sum((label != 255).sum() for label in inside)
        assert found.images_with_class[train_id] == len(inside)
    assert found.images == 3
    assert datasets.check(dataset).statistics.pixels.tolist() == found.pixels.tolist()


def test_check_of_a_dataset_without_labels_counts_images(examples: Any) -> None:
    report = datasets.check(datasets.open(f"folder:{examples.folder(masks=False)}"))
    assert (report.images, report.statistics.images, report.absent_classes, report.problems) == (2, 0, (), ())
    assert report.to_dict()["classes"]["road"]["share"] is None


def test_check_real_camvid_has_no_problem(test_data: Path) -> None:
    report = datasets.check(datasets.open(f"camvid:{test_data}/data/camvid#val"))
    assert report.problems == ()
    assert report.sizes == {"360x480": 101}
    assert report.absent_classes == ()
