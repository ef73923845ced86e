"""Subsets, the holdout by hash and the digest."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from edgeseg import datasets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import ConfigError, DataError


class Counted(datasets.Dataset):
    """A dataset without files whose label says which sample it is."""

    def __init__(self, names: list[str]) -> None:
        self.spec = "counted:"
        self.class_map = ClassMap("counted", (SegmentationClass("thing", (1, 2, 3), (0,)),))
        self.sample_ids = tuple(names)
        self.has_labels = True

    def image(self, index: int) -> Any:
        return np.full((2, 3, 3), index, np.uint8)

    def label(self, index: int) -> Any:
        return np.zeros((2, 3), np.uint8)


def test_subset_keeps_the_order_given() -> None:
    subset = datasets.Subset(Counted(["a", "b", "c"]), [2, 0])
    assert subset.sample_ids == ("c", "a")
    assert len(subset) == 2
    assert subset.image(0)[0, 0, 0] == 2
    assert subset.size(1) == (2, 3)
    assert subset.label(1).shape == (2, 3)


def test_holdout_sets_the_share_aside_without_overlap() -> None:
    whole = Counted([f"frame{i:04}" for i in range(367)])
    train, val = datasets.holdout(whole, 0.1)
    assert (len(train), len(val)) == (330, 37)
    assert not set(train.sample_ids) & set(val.sample_ids)
    assert set(train.sample_ids) | set(val.sample_ids) == set(whole.sample_ids)


def test_holdout_does_not_depend_on_the_order() -> None:
    names = [f"frame{i:04}" for i in range(50)]
    _, val = datasets.holdout(Counted(names))
    _, turned = datasets.holdout(Counted(names[::-1]))
    assert set(val.sample_ids) == set(turned.sample_ids)


def test_holdout_takes_the_smallest_hashes() -> None:
    names = [f"frame{i}" for i in range(20)]
    expected = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:2]
    assert set(datasets.holdout(Counted(names))[1].sample_ids) == set(expected)


def test_holdout_leaves_one_on_each_side() -> None:
    assert [len(part) for part in datasets.holdout(Counted(["a", "b"]), 0.01)] == [1, 1]
    assert [len(part) for part in datasets.holdout(Counted(["a", "b"]), 0.99)] == [1, 1]


def test_holdout_refuses_a_single_sample() -> None:
    with pytest.raises(DataError, match="--val"):
        datasets.holdout(Counted(["a"]))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_holdout_refuses_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ConfigError, match="holdout share"):
        datasets.holdout(Counted(["a", "b"]), share)


def test_digest_changes_with_ids_and_labels(examples: Any) -> None:
    root = examples.camvid()
    first = datasets.open(f"camvid:{root}#train").digest()
    assert datasets.open(f"camvid:{root}#train").digest() == first
    assert datasets.open(f"camvid:{root}#val").digest() != first
    examples.label(root / "trainannot" / "0001TP_006690.png", [0, 3, 8, 10])
    assert datasets.open(f"camvid:{root}#train").digest() != first


def test_digest_does_not_depend_on_where_the_dataset_lies(examples: Any) -> None:
    root = examples.camvid()
    first = datasets.open(f"camvid:{root}#train").digest()
    moved = root.rename(root.with_name("moved"))
    assert datasets.open(f"camvid:{moved}#train").digest() == first


def test_digest_of_a_dataset_without_files_covers_ids_and_label_values() -> None:
    assert Counted(["a", "b"]).digest() != Counted(["a", "c"]).digest()
    assert Counted(["a", "b"]).digest() == Counted(["a", "b"]).digest()
