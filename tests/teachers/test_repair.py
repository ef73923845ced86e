from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg import softlabels
from edgeseg.errors import CacheError
from edgeseg.teachers import CacheSettings, build_cache, repair_cache
from edgeseg.teachers.teacher import Teacher

Save = Callable[..., Path]
Damage = Callable[[Path, str], None]
Tree = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def settings(camvid: Path, save_teacher: Save) -> CacheSettings:
    teachers = (f"{save_teacher(0)}:3", f"{save_teacher(1)}:5")
    return CacheSettings(teachers, f"camvid:{camvid}#train", device="cpu", flip=True)


@pytest.fixture
def cache(settings: CacheSettings, tmp_path: Path) -> Path:
    build_cache(settings, tmp_path / "c")
    return tmp_path / "c"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models of the teachers, once for each frame that they were asked about."""
    models: list[str] = []
    probs = Teacher.probs

    def counted(self: Teacher, image: np.ndarray, height: int, width: int):  # type: ignore[no-untyped-def, type-arg]
        models.append(self.spec.model)
        return probs(self, image, height, width)

    monkeypatch.setattr(Teacher, "probs", counted)
    return models


def test_only_what_is_damaged_or_missing_is_computed_again(
    cache: Path, settings: CacheSettings, damage: Damage, tree: Tree, seen: list[str]
) -> None:
    before, info = tree(cache), softlabels.open(cache).info
    damage(cache, "train/frame1")
    with softlabels.CacheWriter(cache, info, resume=True) as writer:
        writer.discard("train/frame3")
    assert set(softlabels.verify(cache).bad) == {"train/frame1", "train/frame3"}
    # Mirroring is the cache's own, so it need not be named again.
    report = repair_cache(cache, replace(settings, flip=False))
    assert len(seen) == 2 * 2 and tree(cache) == before
    assert report.frames == 4 and list(report.repaired) == ["train/frame1", "train/frame3"]
    assert softlabels.verify(cache).ok


def test_whole_cache_is_left_alone(cache: Path, settings: CacheSettings, tree: Tree, seen: list[str]) -> None:
    before = tree(cache)
    assert repair_cache(cache, settings).to_dict() == {"frames": 4, "repaired": []}
    assert not seen and tree(cache) == before


def test_unfinished_cache_is_finished(
    settings: CacheSettings, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree
) -> None:
    put = softlabels.CacheWriter.put_encoded

    def stopping(self, sample_id, frame):  # type: ignore[no-untyped-def]
        if sample_id.endswith("frame2"):
            raise KeyboardInterrupt
        put(self, sample_id, frame)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(softlabels.CacheWriter, "put_encoded", stopping)
        build_cache(settings, tmp_path / "cut")
    assert list(repair_cache(tmp_path / "cut", settings).repaired) == ["train/frame2", "train/frame3"]
    assert tree(tmp_path / "cut") == tree(cache)


def test_cache_without_class_weights_is_refused(settings: CacheSettings, cache: Path, tmp_path: Path) -> None:
    info = replace(softlabels.open(cache).info, class_weights=(), complete=False)
    softlabels.CacheWriter(tmp_path / "new", info).close()
    with pytest.raises(CacheError, match=r"no class weights yet.*continue it with edgeseg cache build --resume"):
        repair_cache(tmp_path / "new", settings)


@pytest.mark.parametrize(
    ("number", "what"), [(0, r"teacher 1: [0-9a-f]+… here, [0-9a-f]+… now"), (1, r"teacher 2: [0-9a-f]+… here")]
)
def test_other_teacher_is_refused(
    cache: Path, settings: CacheSettings, save_teacher: Save, damage: Damage, number: int, what: str
) -> None:
    damage(cache, "train/frame1")
    teachers = list(settings.teachers)
    teachers[number] = f"{save_teacher(9)}:{settings.specs[number].temperature}"
    with pytest.raises(CacheError, match=rf"cannot be repaired, since it was made otherwise: {what}.*Name its own"):
        repair_cache(cache, replace(settings, teachers=tuple(teachers)))


def test_other_temperature_is_refused(cache: Path, settings: CacheSettings) -> None:
    teachers = (settings.teachers[0].replace(":3", ":4"), settings.teachers[1])
    with pytest.raises(CacheError, match=r"temperature of teacher 1: 3\.0 here, 4\.0 now"):
        repair_cache(cache, replace(settings, teachers=teachers))


def test_other_data_is_refused(cache: Path, settings: CacheSettings, camvid: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(camvid, other)
    label = np.asarray(Image.open(other / "trainannot" / "frame0.png")).copy()
    label[0, 0] = (label[0, 0] + 1) % 11
    Image.fromarray(label).save(other / "trainannot" / "frame0.png")
    with pytest.raises(CacheError, match=r"data: [0-9a-f]+… here, [0-9a-f]+… now"):
        repair_cache(cache, replace(settings, data=f"camvid:{other}#train"))
