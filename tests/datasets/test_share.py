"""Shares of a dataset: #SPLIT@K/N and the rest, #SPLIT@~K/N."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.errors import DataError, UsageError


@pytest.mark.parametrize(("share", "size"), [("1/8", 46), ("1/4", 92), ("1/2", 184), ("3/8", 138), ("366/367", 366)])
def test_share_has_its_size_and_is_evenly_spaced(share: str, size: int) -> None:
    taken = _numbers(f"synthetic:367#@{share}")
    assert len(taken) == size
    steps = {after - before for before, after in pairwise(taken)}
    assert max(steps) - min(steps) <= 1


@pytest.mark.parametrize("share", ["1/8", "3/8", "5/7"])
def test_share_and_rest_are_the_whole_without_overlap(share: str) -> None:
    taken, rest = _numbers(f"synthetic:60#train@{share}"), _numbers(f"synthetic:60#train@~{share}")
    assert sorted(taken + rest) == _numbers("synthetic:60#train")


def test_smaller_share_lies_within_the_larger() -> None:
    assert set(_numbers("synthetic:100#@1/8")) < set(_numbers("synthetic:100#@1/4"))


def test_share_keeps_ids_labels_and_classes(examples: Any) -> None:
    root = examples.camvid()
    whole, half = datasets.open(f"camvid:{root}#train"), datasets.open(f"camvid:{root}#train@1/2")
    assert half.sample_ids == whole.sample_ids[::2]
    assert half.has_labels and half.class_map == whole.class_map
    assert half.label_bytes(0) == whole.label_bytes(0)
    assert half.spec == f"camvid:{root}#train@1/2"
    datasets.require_usable(half)


@pytest.mark.parametrize("share", ["0/8", "8/8", "9/8", "1/0", "0.125", "1", "~", "~0.5", "1/8/2"])
def test_what_is_no_share_is_refused_with_an_example(share: str) -> None:
    with pytest.raises(UsageError, match=r"must be K/N or ~K/N .*#train@1/8"):
        datasets.open(f"synthetic:60#train@{share}")


def test_share_without_a_frame_is_refused(examples: Any) -> None:
    root = examples.camvid()
    (root / "train/0016E5_07959.png").unlink()
    with pytest.raises(DataError, match=r"#train@~1/8: of 1 frames none is left; take another share"):
        datasets.open(f"camvid:{root}#train@~1/8")


def test_split_whose_name_holds_an_at_sign_is_still_a_split(examples: Any) -> None:
    with pytest.raises(DataError, match="has no split 'a@b'"):
        datasets.open(f"camvid:{examples.camvid()}#a@b")


def _numbers(spec: str) -> list[int]:
    whole = datasets.open(spec.partition("@")[0])
    position = {sample_id: number for number, sample_id in enumerate(whole.sample_ids)}
    return [position[sample_id] for sample_id in datasets.open(spec).sample_ids]
