"""The drawn road scene."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgeseg import datasets
from edgeseg.datasets.synthetic import CLASS_MAP, SyntheticDataset, open_synthetic
from edgeseg.datasets.synthetic.canvas import Camera
from edgeseg.errors import DataError


def class_shares(dataset: datasets.Dataset, indices: range) -> np.ndarray:
    labels = np.concatenate([dataset.label(i).ravel() for i in indices])
    return np.bincount(labels, minlength=CLASS_MAP.num_classes) / labels.size


def test_open_gives_frames_of_the_promised_form() -> None:
    dataset = datasets.open("synthetic:3")
    assert dataset.sample_ids == ("train/drive00/000000", "train/drive00/000001", "train/drive00/000002")
    assert dataset.spec == "synthetic:3#train"
    assert dataset.image(1).shape == (128, 192, 3) and dataset.image(1).dtype == np.uint8
    assert dataset.label(1).shape == (128, 192) and dataset.label(1).dtype == np.uint8
    assert dataset.size(1) == (128, 192) and dataset.has_labels


def test_spec_another_size_is_drawn_at_that_size_and_reopens() -> None:
    dataset = open_synthetic("2x64x96", "val")
    assert dataset.image(0).shape == (64, 96, 3)
    assert datasets.open(dataset.spec).digest() == dataset.digest()


def test_frames_do_not_depend_on_order_or_number() -> None:
    program = (
        "import sys; from edgeseg.datasets.synthetic import SyntheticDataset as D; import hashlib\n"
        "n, order = int(sys.argv[1]), [int(i) for i in sys.argv[2].split(',')]\n"
        "d = D(n, 'val', 64, 96); [d.image(i) for i in order]\n"
        "print([hashlib.sha256(d.image(i).tobytes() + d.label(i).tobytes()).hexdigest() for i in (0, 21, 45)])"
    )
    printed = [
        subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True).stdout
        for words in (["46", "0,21,45"], ["60", "45,3,21,0"])
    ]
    assert printed[0] == printed[1]


def test_splits_are_different_worlds() -> None:
    train, test = SyntheticDataset(1, "train"), SyntheticDataset(1, "test")
    assert (train.label(0) != test.label(0)).mean() > 0.05
    assert train.digest() != test.digest()


def test_consecutive_frames_form_a_drive() -> None:
    dataset = SyntheticDataset(41)
    within = np.mean([(dataset.label(i) != dataset.label(i + 1)).mean() for i in range(5, 15)])
    across = np.mean([(dataset.label(i) != dataset.label(i + 20)).mean() for i in range(0, 20, 4)])
    assert 0 < within < 0.7 * across


def test_classes_all_occur_and_small_ones_are_rare() -> None:
    shares = dict(zip(CLASS_MAP.names, class_shares(SyntheticDataset(200), range(0, 200, 4)), strict=True))
    assert min(shares.values()) > 0.0005
    assert all(shares[name] < 0.04 for name in ("pole", "sign", "pedestrian", "bicyclist"))
    assert shares["road"] > 0.2


def test_colors_alone_do_not_tell_the_classes() -> None:
    """The best guess from a pixel's colour, fitted on the very same frames, leaves many errors."""
    dataset = SyntheticDataset(200)
    images = np.concatenate([dataset.image(i).reshape(-1, 3) for i in range(0, 200, 10)]).astype(np.int64) // 16
    labels = np.concatenate([dataset.label(i).ravel() for i in range(0, 200, 10)]).astype(np.int64)
    table = np.zeros((4096, CLASS_MAP.num_classes), np.int64)
    np.add.at(table, (images @ np.array([256, 16, 1]), labels), 1)
    assert table.max(1).sum() / labels.size < 0.85


def test_camera_projects_as_a_pinhole() -> None:
    camera = Camera(focal=100, center=50, horizon=40, height_m=1.5)
    assert camera.project(2, 0, 10) == (70, 55)
    assert camera.project(0, 1.5, 30) == (50, 40)


def test_a_sample_handed_out_is_the_callers_own() -> None:
    dataset = SyntheticDataset(1)
    dataset.image(0)[:] = 0
    dataset.label(0)[:] = 255
    assert dataset.image(0).any() and dataset.label(0).max() < CLASS_MAP.num_classes


def test_index_beyond_the_end_is_refused() -> None:
    with pytest.raises(IndexError):
        SyntheticDataset(3).image(3)


@pytest.mark.parametrize(
    ("path", "split", "message"),
    [
        ("many", None, "synthetic:many: write the number of frames"),
        ("0", None, "must be 1 to 100000"),
        ("5", "a b", "letters, digits, - and _ only"),
        ("5x8x8", None, "size 8x8 is out of range"),
    ],
)
def test_spec_that_cannot_be_drawn_is_refused(path: str, split: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_synthetic(path, split)
