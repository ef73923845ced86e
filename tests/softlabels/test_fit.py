from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError

Blank = Callable[..., Dataset]


def test_fitting_dataset_and_part_of_it_pass(cache: Path, blank: Blank) -> None:
    soft = softlabels.open(cache)
    softlabels.require_fit(soft, blank())
    softlabels.require_fit(soft, blank(ids=("c",)))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"classes": 3}, r"it has 4 classes \(sky, road, car, tree\), the dataset 3 \(sky, road, car\)"),
        ({"ids": ("c", "x", "y")}, "2 of 3 frames are missing: x, y"),
        ({"size": (100, 61)}, "3 frames have another size: train/a is 100x60 instead of 100x61"),
    ],
)
def test_what_does_not_fit_is_listed(cache: Path, blank: Blank, change: dict[str, object], what: str) -> None:
    with pytest.raises(CacheError, match=rf"cache does not fit blank:memory: .*{what}.*edgeseg cache build"):
        softlabels.require_fit(softlabels.open(cache), blank(**change))


def test_unfinished_cache_says_so(tmp_path: Path, info: softlabels.CacheInfo, blank: Blank) -> None:
    softlabels.CacheWriter(tmp_path / "c", info).close()
    with pytest.raises(CacheError, match="the cache is unfinished: continue it with --resume"):
        softlabels.require_fit(softlabels.open(tmp_path / "c"), blank())
