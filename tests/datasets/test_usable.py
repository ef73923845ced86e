"""A run's start: bad data stops it, good data is remembered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgeseg import datasets
from edgeseg.datasets import inspection
from edgeseg.datasets.memo import cache_folder
from edgeseg.errors import DataError


@pytest.fixture()
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Indices of the samples that were really read."""
    seen: list[int] = []
    real = inspection.inspect_sample

    def counting(dataset: datasets.Dataset, index: int, labels: bool) -> inspection.SampleFacts:
        seen.append(index)
        return real(dataset, index, labels)

    monkeypatch.setattr(inspection, "inspect_sample", counting)
    return seen


def test_require_usable_reads_good_files_once(examples: Any, reads: list[int]) -> None:
    spec = f"camvid:{examples.camvid()}#train"
    datasets.require_usable(datasets.open(spec))
    assert sorted(reads) == [0, 1]
    datasets.require_usable(datasets.open(spec))
    datasets.label_statistics(datasets.Subset(datasets.open(spec), [1]))
    assert len(reads) == 2


def test_require_usable_profits_from_check(examples: Any, reads: list[int]) -> None:
    dataset = datasets.open(f"camvid:{examples.camvid()}#train")
    datasets.check(dataset)
    datasets.require_usable(dataset)
    assert len(reads) == 2


@pytest.mark.parametrize("changed", ["train/0016E5_07959.png", "trainannot/0016E5_07959.png"])
def test_require_usable_reads_a_changed_file_again(examples: Any, reads: list[int], changed: str) -> None:
    root = examples.camvid()
    dataset = datasets.open(f"camvid:{root}#train")
    datasets.require_usable(dataset)
    stat = (root / changed).stat()
    os.utime(root / changed, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    datasets.require_usable(dataset)
    assert sorted(reads) == [0, 1, 1]


def test_require_usable_remembers_no_bad_file(examples: Any, reads: list[int]) -> None:
    root = examples.camvid()
    label = root / "trainannot/0001TP_006690.png"
    examples.label(label, [99])
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"1 problem\(s\):\n  .*0001TP_006690\.png: label values \[99\] are unknown"
        ):
            datasets.require_usable(datasets.open(f"camvid:{root}#train"))
    assert sorted(reads) == [0, 0, 1]
    examples.label(label, [0])
    datasets.require_usable(datasets.open(f"camvid:{root}#train"))


def test_require_usable_shows_the_first_problems_and_counts_the_rest(examples: Any) -> None:
    root = examples.camvid()
    for number in range(7):
        (root / "train" / f"bad{number}.png").write_bytes(b"")
        examples.label(root / "trainannot" / f"bad{number}.png", [0])
    with pytest.raises(DataError) as caught:
        datasets.require_usable(datasets.open(f"camvid:{root}#train"))
    message = str(caught.value)
    assert message.count("cannot be read as an image") == 5
    assert f"and 2 more; list them with: edgeseg data check 'camvid:{root}#train'" in message


def test_require_usable_stops_at_a_deleted_label(examples: Any) -> None:
    root = examples.camvid()
    dataset = datasets.open(f"camvid:{root}#train")
    datasets.require_usable(dataset)
    (root / "trainannot/0001TP_006690.png").unlink()
    with pytest.raises(DataError, match="is missing"):
        datasets.require_usable(dataset)


def test_require_usable_without_labels_reads_no_label(examples: Any) -> None:
    root = examples.camvid()
    (root / "trainannot/0001TP_006690.png").write_bytes(b"")
    datasets.require_usable(datasets.open(f"camvid:{root}#train"), labels=False)
    with pytest.raises(DataError):
        datasets.require_usable(datasets.open(f"camvid:{root}#train"))


def test_require_usable_refuses_no_samples(examples: Any) -> None:
    dataset = datasets.Subset(datasets.open(f"camvid:{examples.camvid()}#train"), [])
    with pytest.raises(DataError, match="there is no sample"):
        datasets.require_usable(dataset)


@pytest.mark.parametrize("content", [b"", b"[]", b"{\xff", b'{"x": 1}'])
def test_require_usable_survives_a_damaged_memory(examples: Any, reads: list[int], content: bytes) -> None:
    dataset = datasets.open(f"camvid:{examples.camvid()}#train")
    datasets.require_usable(dataset)
    (memory,) = (cache_folder() / "checked").iterdir()
    memory.write_bytes(content)
    datasets.require_usable(dataset)
    assert sorted(reads) == [0, 0, 1, 1]


def test_require_usable_does_without_a_cache_folder(examples: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = examples.root / "file"
    blocker.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker / "inside"))
    datasets.require_usable(datasets.open(f"camvid:{examples.camvid()}#train"))


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "edgeseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "edgeseg"
