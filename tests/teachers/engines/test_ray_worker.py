from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import datasets
from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.errors import ClusterError, DataError
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers import CacheSettings, load_teacher, parse_spec
from edgeseg.teachers.engines.ray_worker import TeacherWorker
from edgeseg.teachers.teacher_set import TeacherSet


@pytest.fixture
def settings(camvid: Path, save_teacher: Callable[..., Path]) -> CacheSettings:
    return CacheSettings((f"{save_teacher(0)}:3",), f"camvid:{camvid}#train", device="cpu")


def test_worker_gives_what_the_teachers_give_here(settings: CacheSettings) -> None:
    teacher = load_teacher(parse_spec(settings.teachers[0]), CLASS_MAP)
    dataset = datasets.open(settings.data)
    worker, here = TeacherWorker(settings, None, [teacher.digest]), TeacherSet([teacher])
    worker.load()
    info = CacheInfo(CLASS_MAP, (), dataset.sample_ids, "", class_weights=((1.0,) * 11,))
    assert (worker.count(settings.data, 1) == here.count(dataset, 1)).all()
    there, expected = worker.mix(settings.data, 1, info), here.mix(dataset, 1, info)
    assert there.frame == expected.frame and (there.counts == expected.counts).all()


def test_node_with_another_teacher_is_refused(settings: CacheSettings) -> None:
    with pytest.raises(ClusterError, match=r"on node .*: teacher .*teacher0\.edgeseg is another one here .*copy"):
        TeacherWorker(settings, None, ["0" * 64]).load()


def test_node_with_another_version_is_refused(settings: CacheSettings) -> None:
    with pytest.raises(ClusterError, match=r"on node .*: edgeseg .* instead of 99\.0; install the same on every node"):
        TeacherWorker(settings, None, [], version="99.0").load()


def test_node_without_the_data_says_so(settings: CacheSettings, camvid: Path) -> None:
    camvid.rename(camvid.with_name("elsewhere"))
    with pytest.raises(DataError, match=r"on node .*camvid"):
        TeacherWorker(settings, None, []).load()
