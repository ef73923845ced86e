from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import softlabels
from edgeseg.errors import CacheError, OutputError
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord, encode_frame

Probs = dict[str, NDArray[np.float32]]


def test_existing_cache_is_not_overwritten(cache: Path, info: CacheInfo) -> None:
    with pytest.raises(CacheError, match=r"a cache is there already; continue it with --resume or name another --out"):
        CacheWriter(cache, info)
    assert softlabels.verify(cache).ok


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"data_digest": "e" * 64}, "data: dddddddddddd… here, eeeeeeeeeeee… now"),
        ({"settings": {"flip": True}}, "setting flip: False here, True now"),
        ({"teachers": (TeacherRecord("one.edgeseg", 3.0, "1" * 64),)}, "teacher 2: 222222222222… here, absent now"),
        (
            {"teachers": (TeacherRecord("one.edgeseg", 3.0, "9" * 64), TeacherRecord("two.edgeseg", 5.0, "2" * 64))},
            "teacher 1: 111111111111… here, 999999999999… now",
        ),
        (
            {"teachers": (TeacherRecord("one.edgeseg", 4.0, "1" * 64), TeacherRecord("two.edgeseg", 5.0, "2" * 64))},
            "temperature of teacher 1: 3.0 here, 4.0 now",
        ),
    ],
)
def test_resume_with_other_makers_says_what_differs(
    cache: Path, info: CacheInfo, change: dict[str, Any], what: str
) -> None:
    with pytest.raises(CacheError, match="cannot be resumed") as caught:
        CacheWriter(cache, replace(info, **change), resume=True)
    assert what in str(caught.value)


def test_moved_teacher_file_is_the_same_teacher(cache: Path, info: CacheInfo) -> None:
    moved = tuple(replace(t, model=f"elsewhere/{t.model}") for t in info.teachers)
    CacheWriter(cache, replace(info, teachers=moved), resume=True).close()


def test_second_writer_is_refused_until_the_first_is_done(tmp_path: Path, info: CacheInfo) -> None:
    with (
        CacheWriter(tmp_path / "c", info),
        pytest.raises(CacheError, match="another process is writing this cache"),
    ):
        CacheWriter(tmp_path / "c", info, resume=True)
    CacheWriter(tmp_path / "c", info, resume=True).close()


def test_foreign_folder_is_left_alone(tmp_path: Path, info: CacheInfo) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CacheError, match="not empty and not a soft-label cache"):
        CacheWriter(tmp_path, info, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_file_in_the_place_of_the_cache_is_refused(tmp_path: Path, info: CacheInfo) -> None:
    (tmp_path / "c").write_text("")
    with pytest.raises(CacheError, match="is a file"):
        CacheWriter(tmp_path / "c", info)


def test_unwritable_place_is_an_output_error(tmp_path: Path, info: CacheInfo) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file.*writable"):
        CacheWriter(tmp_path / "file" / "cache", info)


def test_full_disk_leaves_no_part_of_a_frame(
    tmp_path: Path, info: CacheInfo, probs: Probs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with CacheWriter(tmp_path / "c", info) as writer:
        writer.put("c", probs["c"])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"train/a: .*No space left on device.*space"):
            writer.put("train/a", probs["train/a"])
    files = {p.name for p in (tmp_path / "c").rglob("*") if p.is_file()}
    assert files == {".lock", "info.json", "zarr.json", "0"}
    assert softlabels.open(tmp_path / "c").info.frames == 1


def test_full_disk_at_the_start_leaves_nothing(
    tmp_path: Path, info: CacheInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        CacheWriter(tmp_path / "c", info)
    assert not list(tmp_path.iterdir())


def test_resume_clears_what_a_killed_writer_left(tmp_path: Path, info: CacheInfo, probs: Probs) -> None:
    with CacheWriter(tmp_path / "c", info) as writer:
        writer.put("c", probs["c"])
    leftover = tmp_path / "c" / "frames" / ".0.77.partial"
    leftover.write_bytes(b"half")
    with CacheWriter(tmp_path / "c", info, resume=True) as writer:
        assert writer.has("c") and not writer.has("train/a")
    assert not leftover.exists()


def test_damaged_frame_counts_as_absent(
    cache: Path, info: CacheInfo, probs: Probs, shard: Callable[[Path, int], Path]
) -> None:
    path = shard(cache, 2)
    path.write_bytes(path.read_bytes()[:-3])
    with CacheWriter(cache, info, resume=True) as writer:
        assert not writer.has("c")
        writer.put("c", probs["c"])
        assert writer.has("c")


def test_measured_weights_survive_for_the_next_writer(tmp_path: Path, info: CacheInfo) -> None:
    unmeasured = replace(info, class_weights=())
    with CacheWriter(tmp_path / "c", unmeasured) as writer:
        writer.set_class_weights([[0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1]])
    with CacheWriter(tmp_path / "c", unmeasured, resume=True) as writer:
        assert writer.info.class_weights == ((0.1, 0.2, 0.3, 0.4), (1, 1, 1, 1))


def test_wrong_number_of_channels_is_refused(tmp_path: Path, info: CacheInfo) -> None:
    with (
        CacheWriter(tmp_path / "c", info) as writer,
        pytest.raises(CacheError, match="has 3 channels, the cache 4 classes"),
    ):
        writer.put("c", np.full((3, 8, 8), 1 / 3, np.float32))


def test_broken_probabilities_name_the_frame(tmp_path: Path, info: CacheInfo) -> None:
    with CacheWriter(tmp_path / "c", info) as writer, pytest.raises(CacheError, match=r"train/a: .*sum to 1"):
        writer.put("train/a", np.ones((4, 8, 8), np.float32))


def test_frame_encoded_elsewhere_gives_the_same_bytes(tmp_path: Path, info: CacheInfo, probs: Probs) -> None:
    with CacheWriter(tmp_path / "here", info) as here, CacheWriter(tmp_path / "there", info) as there:
        for sample_id, p in probs.items():
            here.put(sample_id, p)
            travelled = pickle.loads(pickle.dumps(encode_frame(p, pickle.loads(pickle.dumps(info)))))
            there.put_encoded(sample_id, travelled)
    files = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*") if p.is_file())
    assert all((tmp_path / "here" / f).read_bytes() == (tmp_path / "there" / f).read_bytes() for f in files)


def test_encoded_frame_of_other_classes_is_refused(cache: Path, info: CacheInfo, probs: Probs) -> None:
    frame = replace(encode_frame(probs["c"], info), shape=(3, 100, 60))
    with (
        CacheWriter(cache, info, resume=True) as writer,
        pytest.raises(CacheError, match="c: has 3 channels, the cache 4 classes"),
    ):
        writer.put_encoded("c", frame)


def test_discarded_frame_is_missing(cache: Path, info: CacheInfo) -> None:
    with CacheWriter(cache, info, resume=True) as writer:
        writer.discard("c")
        writer.discard("c")
        assert not writer.has("c") and writer.has("train/a")
    assert set(softlabels.verify(cache).bad) == {"c"}


def test_frame_that_was_not_planned_is_refused(cache: Path, info: CacheInfo, probs: Probs) -> None:
    with (
        CacheWriter(cache, info, resume=True) as writer,
        pytest.raises(CacheError, match="'other' is not one of the frames"),
    ):
        writer.put("other", probs["c"])


def test_frame_of_another_size_takes_the_place_of_the_first(cache: Path, info: CacheInfo, probs: Probs) -> None:
    with CacheWriter(cache, info, resume=True) as writer:
        writer.put("c", probs["c"][:, :50])
    soft = softlabels.open(cache)
    assert soft.shape("c") == (4, 50, 60) and soft.shape("train/a") == (4, 100, 60) and softlabels.verify(cache).ok
