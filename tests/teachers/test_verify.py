from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg import softlabels
from edgeseg.errors import CacheError, ConfigError
from edgeseg.teachers import CacheSettings, build_cache, verify_cache

Save = Callable[..., Path]


@pytest.fixture
def settings(camvid: Path, save_teacher: Save) -> CacheSettings:
    return CacheSettings((f"{save_teacher(0)}:3", f"{save_teacher(1)}:5"), f"camvid:{camvid}#train", device="cpu")


def test_fresh_cache_agrees_with_its_teachers(settings: CacheSettings, tmp_path: Path) -> None:
    build_cache(settings, tmp_path / "c")
    report = verify_cache(tmp_path / "c", settings, frames=3).to_dict()
    assert report["frames"] == 4 and report["frames_compared"] == 3 and report["bad"] == []
    assert 0 <= report["kl_nats"] <= 1e-3 and report["kl_nats"] <= report["kl_p99"] <= 1e-2
    assert report["argmax_agreement"] >= 0.99
    assert report["flip_kl_nats"] > report["kl_nats"]


def test_mirrored_teachers_agree_with_the_mirrored_cache(settings: CacheSettings, tmp_path: Path) -> None:
    settings = replace(settings, flip=True)
    build_cache(settings, tmp_path / "c")
    agreement = verify_cache(tmp_path / "c", replace(settings, flip=False)).agreement
    assert agreement is not None and agreement.flip_kl_nats == pytest.approx(agreement.kl_nats, abs=1e-6)


def test_soft_labels_of_another_frame_are_noticed(settings: CacheSettings, tmp_path: Path) -> None:
    info = build_cache(settings, tmp_path / "c")
    soft = softlabels.open(tmp_path / "c")
    first, second = info.sample_ids[:2]
    with softlabels.CacheWriter(tmp_path / "c", info, resume=True) as writer:
        writer.put(first, soft[second])
    agreement = verify_cache(tmp_path / "c", settings).agreement
    assert agreement is not None and agreement.kl_nats > 1e-3


def test_damaged_frame_is_reported_and_not_compared(
    settings: CacheSettings, tmp_path: Path, damage: Callable[[Path, str], None]
) -> None:
    build_cache(settings, tmp_path / "c")
    damage(tmp_path / "c", "train/frame1")
    report = verify_cache(tmp_path / "c", settings)
    assert set(report.bad) == {"train/frame1"} and report.agreement is not None and report.agreement.frames == 3


def test_other_teachers_are_refused(settings: CacheSettings, tmp_path: Path) -> None:
    build_cache(settings, tmp_path / "c")
    with pytest.raises(CacheError, match=r"was made by .*teacher0\.edgeseg:3 .*not by .*name its own teachers"):
        verify_cache(tmp_path / "c", replace(settings, teachers=settings.teachers[:1]))


def test_number_of_frames_must_be_positive(settings: CacheSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--frames must be at least 1"):
        verify_cache(tmp_path / "c", settings, frames=0)
