"""Specs: LAYOUT:PATH[#SPLIT]."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("camvid:/data/camvid#train", ("camvid", "/data/camvid", "train")),
        ("camvid:/data/camvid", ("camvid", "/data/camvid", None)),
        ("folder:/data/a:b", ("folder", "/data/a:b", None)),
        ("idd:C:/data#1/idd#val", ("idd", "C:/data#1/idd", "val")),
        ("folder:/data/take#2#", ("folder", "/data/take#2", None)),
        ("synthetic:60#val", ("synthetic", "60", "val")),
    ],
)
def test_parse_spec_splits_at_first_colon_and_last_hash(spec: str, parts: tuple[str, str, str | None]) -> None:
    assert datasets.parse_spec(spec) == parts


@pytest.mark.parametrize("spec", ["camvid", "camvid:", ":/data", "camvid:#train", ""])
def test_parse_spec_refuses_another_form(spec: str) -> None:
    with pytest.raises(UsageError):
        datasets.parse_spec(spec)


def test_parse_spec_lists_the_layouts_for_an_unknown_one() -> None:
    known = "camvid, cityscapes, mapillary, idd, folder, labeled, synthetic"
    with pytest.raises(UsageError, match=f"'kitti' is unknown.*{known}"):
        datasets.parse_spec("kitti:/data")


@pytest.mark.parametrize("layout", datasets.LAYOUTS)
def test_every_layout_has_its_opener(layout: str) -> None:
    assert callable(getattr(import_module(f"edgeseg.datasets.{layout}"), f"open_{layout}"))


@pytest.mark.parametrize("layout", ["camvid", "cityscapes", "mapillary", "idd", "folder"])
def test_open_names_a_missing_folder(layout: str, examples: Any) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder"):
        datasets.open(f"{layout}:{examples.root}/nowhere#train")


def test_open_refuses_a_file_for_a_folder(examples: Any) -> None:
    path = examples.image(examples.root / "a.png")
    with pytest.raises(DataError, match="is a file, not a folder"):
        datasets.open(f"camvid:{path}")


def test_open_names_a_folder_without_rights(examples: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = examples.camvid()
    # The superuser may read everything, so that taking the rights away would show nothing in a container.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(DataError, match="the folder cannot be read"):
        datasets.open(f"camvid:{root}")


@pytest.mark.parametrize("layout", ["camvid", "cityscapes", "idd"])
def test_open_refuses_a_folder_of_another_form(layout: str, examples: Any) -> None:
    root = examples.folder()
    with pytest.raises(DataError, match=f"no split of the {layout} layout"):
        datasets.open(f"{layout}:{root}")


def test_open_reads_a_path_with_colon_and_hash(examples: Any) -> None:
    root = examples.camvid().rename(examples.root / "a:b#c")
    assert len(datasets.open(f"camvid:{root}#val")) == 2
