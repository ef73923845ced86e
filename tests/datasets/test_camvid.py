"""CamVid in the SegNet layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeseg import datasets
from edgeseg.errors import DataError


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPG", ".jpeg"])
def test_camvid_reads_png_and_jpeg_images(examples: Any, suffix: str) -> None:
    dataset = datasets.open(f"camvid:{examples.camvid(suffix)}#train")
    assert dataset.sample_ids == ("train/0001TP_006690", "train/0016E5_07959")
    assert dataset.image(0).shape == (12, 20, 3)
    assert dataset.size(0) == (12, 20)
    assert dataset.has_labels


def test_camvid_reads_void_as_ignored(examples: Any) -> None:
    dataset = datasets.open(f"camvid:{examples.camvid()}#val")
    assert dataset.label(0)[0].tolist() == [0] * 5 + [3] * 5 + [8] * 5 + [255] * 5


def test_camvid_image_is_rgb_as_stored(examples: Any) -> None:
    root = examples.camvid()
    dataset = datasets.open(f"camvid:{root}#test")
    expected = np.asarray(Image.open(root / "test" / "0001TP_006690.png"))
    np.testing.assert_array_equal(dataset.image(0), expected)


def test_camvid_without_split_reads_all_that_have_labels(examples: Any) -> None:
    root = examples.camvid()
    for path in (root / "testannot").iterdir():
        path.unlink()
    dataset = datasets.open(f"camvid:{root}")
    assert [i.split("/")[0] for i in dataset.sample_ids] == ["train", "train", "val", "val"]
    assert not datasets.open(f"camvid:{root}#test").has_labels


def test_camvid_names_the_splits_for_an_unknown_one(examples: Any) -> None:
    with pytest.raises(DataError, match="no split 'training'; splits there: train, val"):
        datasets.open(f"camvid:{examples.camvid(splits=('train', 'val'))}#training")


def test_camvid_refuses_an_empty_split(examples: Any) -> None:
    root = examples.camvid(splits=("train",))
    (root / "val").mkdir()
    with pytest.raises(DataError, match=r"no images in .*val"):
        datasets.open(f"camvid:{root}#val")


def test_camvid_refuses_two_images_with_one_id(examples: Any) -> None:
    root = examples.camvid()
    examples.image(root / "train" / "0001TP_006690.jpg")
    with pytest.raises(DataError, match="differ only in their extension, such as 'train/0001TP_006690'"):
        datasets.open(f"camvid:{root}#train")


def test_camvid_real_counts(test_data: Path) -> None:
    for split, count in (("train", 367), ("val", 101)):
        dataset = datasets.open(f"camvid:{test_data}/data/camvid#{split}")
        assert len(dataset) == count
        assert dataset.has_labels
        assert dataset.size(0) == dataset.label(0).shape == (360, 480)
