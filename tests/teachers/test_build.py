from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg import datasets, softlabels
from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.errors import CacheError, ConfigError, DataError, OutputError
from edgeseg.metrics import ConfusionMatrix
from edgeseg.teachers import CacheSettings, build_cache, combine, load_teacher, parse_spec, repair_cache
from edgeseg.teachers.teacher import Teacher

Save = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes]]
Damage = Callable[[Path, str], None]


@pytest.fixture
def settings(camvid: Path, save_teacher: Save) -> CacheSettings:
    return CacheSettings((f"{save_teacher(0)}:3", f"{save_teacher(1)}:5"), f"camvid:{camvid}#train", device="cpu")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Models of the teachers in the order in which they saw a frame."""
    seen: list[str] = []
    probs = Teacher.probs

    def counted(self: Teacher, image: np.ndarray, height: int, width: int) -> torch.Tensor:  # type: ignore[type-arg]
        seen.append(self.spec.model)
        return probs(self, image, height, width)

    monkeypatch.setattr(Teacher, "probs", counted)
    yield seen


@pytest.mark.parametrize("scratch", [True, False])
def test_cache_holds_the_weighted_mixture(
    settings: CacheSettings, tmp_path: Path, scratch: bool, calls: list[str]
) -> None:
    info = build_cache(replace(settings, scratch=scratch), tmp_path / "c")
    assert len(calls) == 2 * 4 * (1 if scratch else 2)
    dataset = datasets.open(settings.data)
    teachers = [load_teacher(parse_spec(text), CLASS_MAP) for text in settings.teachers]
    samples = [(dataset.image(i), dataset.label(i)) for i in range(len(dataset))]
    weights = []
    for teacher in teachers:
        matrix = ConfusionMatrix(11)
        for image, label in samples:
            matrix.update(label, teacher.probs(image, 24, 32).argmax(dim=0).byte().numpy())
        weights.append(np.nan_to_num(matrix.iou()))
    np.testing.assert_allclose(info.class_weights, weights)
    soft = softlabels.open(tmp_path / "c")
    mixture = ConfusionMatrix(11)
    for (image, label), sample_id in zip(samples, dataset.sample_ids, strict=True):
        mixed = combine([t.probs(image, 24, 32) for t in teachers], torch.tensor(np.array(weights))).numpy()
        assert np.abs(soft[sample_id] - mixed).mean() <= 0.003
        mixture.update(label, mixed.argmax(axis=0).astype(np.uint8))
    assert info.complete and info.frames == 4
    assert info.gate["ensemble"]["miou"] == pytest.approx(mixture.miou())
    assert [t["iou"] for t in info.gate["teachers"]] == [
        pytest.approx(dict(zip(CLASS_MAP.names, w.tolist(), strict=True))) for w in weights
    ]
    softlabels.require_fit(soft, dataset)
    assert not (tmp_path / "c" / "scratch").exists()


def test_teachers_run_twice_where_space_is_short(
    settings: CacheSettings,
    tmp_path: Path,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=200_000))
    build_cache(settings, tmp_path / "c")
    assert len(calls) == 2 * 4 * 2 and "the teachers run twice" in capsys.readouterr().err


def test_settings_are_written_beside_the_result(settings: CacheSettings, tmp_path: Path) -> None:
    build_cache(settings, tmp_path / "c")
    assert "flip: false" in (tmp_path / "c" / "config.yaml").read_text()


def test_coarser_coding_is_smaller_and_part_of_the_fingerprint(settings: CacheSettings, tmp_path: Path) -> None:
    fine = build_cache(settings, tmp_path / "fine")
    coarse = build_cache(replace(settings, coding=softlabels.Coding(kl_nats=0.05, agreement=0.8)), tmp_path / "coarse")
    assert coarse.bytes < 0.8 * fine.bytes and coarse.fingerprint != fine.fingerprint
    assert "coding" not in fine.settings and coarse.settings["coding"]["kl_nats"] == 0.05
    assert not repair_cache(tmp_path / "coarse", settings).repaired


def test_unlabeled_data_gets_equal_weights_and_says_so(
    unlabeled: Path, save_teacher: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CacheSettings((f"{save_teacher(0)}:3", f"{save_teacher(1)}:5"), f"camvid:{unlabeled}#train")
    info = build_cache(settings, tmp_path / "c")
    assert info.class_weights == ((1.0,) * 11,) * 2 and info.gate == {}
    assert "has no labels: all teachers get equal class weights" in capsys.readouterr().err


def test_weights_from_another_labeled_dataset(settings: CacheSettings, camvid: Path, tmp_path: Path) -> None:
    reference = build_cache(settings, tmp_path / "labeled")
    bare = tmp_path / "bare"
    shutil.copytree(camvid / "train", bare / "train")
    info = build_cache(replace(settings, data=f"camvid:{bare}#train", class_weights=settings.data), tmp_path / "c")
    assert info.class_weights == reference.class_weights and info.gate == {}


def test_weights_from_the_report_of_another_cache(settings: CacheSettings, tmp_path: Path, calls: list[str]) -> None:
    reference = build_cache(settings, tmp_path / "first")
    (tmp_path / "weights.json").write_text(json.dumps(reference.to_dict()))
    calls.clear()
    info = build_cache(replace(settings, class_weights=str(tmp_path / "weights.json")), tmp_path / "c")
    assert info.class_weights == reference.class_weights and len(calls) == 8
    assert info.gate["teachers"] == reference.gate["teachers"]


def test_class_weights_that_are_nothing_known_are_refused(settings: CacheSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--class-weights same: must be a dataset LAYOUT:PATH, a \.yaml or \.json"):
        build_cache(replace(settings, class_weights="same"), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_bad_data_stops_the_build_before_it_starts(settings: CacheSettings, camvid: Path, tmp_path: Path) -> None:
    (camvid / "trainannot" / "frame2.png").unlink()
    with pytest.raises(DataError, match=r"frame2"):
        build_cache(settings, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_unknown_device_is_refused(settings: CacheSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"device 'warp' cannot be used"):
        build_cache(replace(settings, device="warp"), tmp_path / "c")


def test_existing_cache_needs_resume(settings: CacheSettings, tmp_path: Path) -> None:
    build_cache(settings, tmp_path / "c")
    with pytest.raises(CacheError, match="continue it with --resume"):
        build_cache(settings, tmp_path / "c")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"flip": True}, "setting flip: False here, True now"),
        ({"class_weights": "equal"}, "setting class_weights: data here, equal now"),
    ],
)
def test_resume_with_other_settings_says_which(
    settings: CacheSettings, tmp_path: Path, change: dict[str, object], what: str
) -> None:
    build_cache(settings, tmp_path / "c")
    with pytest.raises(CacheError, match=what):
        build_cache(replace(settings, **change), tmp_path / "c", resume=True)  # type: ignore[arg-type]


def test_resume_of_a_finished_cache_runs_no_teacher(
    settings: CacheSettings, tmp_path: Path, calls: list[str], tree: Tree
) -> None:
    build_cache(settings, tmp_path / "c")
    before = tree(tmp_path / "c")
    calls.clear()
    build_cache(settings, tmp_path / "c", resume=True)
    assert not calls and tree(tmp_path / "c") == before


@pytest.mark.parametrize("scratch", [True, False])
def test_resume_mends_a_damaged_frame(
    settings: CacheSettings, tmp_path: Path, calls: list[str], tree: Tree, damage: Damage, scratch: bool
) -> None:
    settings = replace(settings, scratch=scratch)
    build_cache(settings, tmp_path / "c")
    before = tree(tmp_path / "c")
    damage(tmp_path / "c", "train/frame1")
    calls.clear()
    build_cache(settings, tmp_path / "c", resume=True)
    assert len(calls) == 2 and tree(tmp_path / "c") == before


@pytest.mark.parametrize("scratch", [True, False])
def test_full_disk_at_any_write_can_be_resumed_to_the_same_bytes(
    settings: CacheSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree, scratch: bool
) -> None:
    settings = replace(settings, scratch=scratch)
    build_cache(settings, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    allowed = 0

    def limited(handle: int) -> None:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", limited)
    interruptions = 0
    for interruptions in range(1, 100):  # noqa: B007
        allowed = 3
        try:
            build_cache(settings, tmp_path / "c", resume=True)
        except OutputError as error:
            assert "No space left on device" in str(error)
            assert not list(tmp_path.rglob("*.partial"))
        else:
            break
    assert interruptions > 4
    assert tree(tmp_path / "c") == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root: the full disk was only simulated")
def test_full_disk_names_the_frame_and_can_be_resumed(settings: CacheSettings, tmp_path: Path, tree: Tree) -> None:
    build_cache(settings, tmp_path / "whole")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode()}")
    try:
        with pytest.raises(OutputError, match=r"frame\d.*No space left on device; check that .* has space"):
            build_cache(replace(settings, scratch=False), disk / "c")
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        build_cache(replace(settings, scratch=False), disk / "c", resume=True)
        found = tree(disk / "c")
    finally:
        subprocess.run(["umount", disk], check=True)
    expected = tree(tmp_path / "whole")
    assert {name for name in expected if found[name] != expected[name]} == {"config.yaml"}, "it names the scratch"


def test_bytes_do_not_depend_on_the_scratch(settings: CacheSettings, tmp_path: Path, tree: Tree) -> None:
    for scratch in (True, False):
        build_cache(replace(settings, scratch=scratch), tmp_path / str(scratch))
        (tmp_path / str(scratch) / "config.yaml").unlink()
    assert tree(tmp_path / "True") == tree(tmp_path / "False")


def test_changed_teacher_is_refused(settings: CacheSettings, tmp_path: Path, save_teacher: Save) -> None:
    build_cache(settings, tmp_path / "c")
    save_teacher(7).replace(tmp_path / "teacher1.edgeseg")
    with pytest.raises(CacheError, match=r"made otherwise: teacher 2: [0-9a-f]{12}… here, [0-9a-f]{12}… now\."):
        build_cache(settings, tmp_path / "c", resume=True)


def test_gate_of_the_cache_says_where_the_ensemble_is_behind(settings: CacheSettings, tmp_path: Path) -> None:
    gate = build_cache(settings, tmp_path / "c").gate
    best = {name: max(t["iou"][name] for t in gate["teachers"]) for name in gate["ensemble"]["iou"]}
    behind = [name for name, iou in gate["ensemble"]["iou"].items() if iou < best[name]]
    overall = ["overall"] if gate["ensemble"]["miou"] < max(t["miou"] for t in gate["teachers"]) else []
    assert gate["behind"] == [*overall, *behind]


def test_cache_in_an_object_store_holds_the_same(settings: CacheSettings, tmp_path: Path) -> None:
    here, there = build_cache(settings, tmp_path / "c"), build_cache(settings, "memory://store/c")
    assert (there.fingerprint, there.gate, there.bytes) == (here.fingerprint, here.gate, here.bytes)
    near, far = softlabels.open(tmp_path / "c"), softlabels.open("memory://store/c")
    for sample_id in here.sample_ids:
        np.testing.assert_array_equal(far[sample_id], near[sample_id])
    assert repair_cache("memory://store/c", settings).repaired == {}


def test_second_build_of_the_same_cache_is_refused(settings: CacheSettings, tmp_path: Path) -> None:
    info = build_cache(settings, tmp_path / "c")
    with softlabels.CacheWriter(tmp_path / "c", info, resume=True), pytest.raises(CacheError, match="another process"):
        build_cache(settings, tmp_path / "c", resume=True)
