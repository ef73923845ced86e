from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgeseg import config, datasets, softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError, ConfigError
from edgeseg.preprocess import Preprocess
from edgeseg.students import DistillSettings, TrainSettings, distill, train
from edgeseg.students.batches import DecodedFrames, TrainingSamples
from edgeseg.students.groups import AugmentSettings

Make = Callable[..., DistillSettings]


def _soft(label: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A teacher that is nearly sure of the label, and of class 0 on void pixels."""
    known = np.where(label == 255, 0, label)
    return (0.89 * np.eye(11)[known] + 0.01).transpose(2, 0, 1).astype(np.float32)


def _write_cache(folder: Path, dataset: Dataset, temperature: float = 3.0, gate: dict[str, Any] | None = None) -> None:
    info = softlabels.CacheInfo(
        class_map=dataset.class_map,
        teachers=(softlabels.TeacherRecord("t.edgeseg", temperature, "1" * 64),),
        sample_ids=dataset.sample_ids,
        data_digest=dataset.digest(),
    )
    with softlabels.CacheWriter(folder, info) as writer:
        for index, sample_id in enumerate(dataset.sample_ids):
            writer.put(sample_id, _soft(dataset.label(index)))
        writer.finish(gate or {})


@pytest.fixture
def distill_settings(train_settings: Callable[..., TrainSettings], camvid: str, tmp_path: Path) -> Make:
    """Makes settings of a distillation from a cache of the training split."""
    _write_cache(tmp_path / "cache", datasets.open(f"{camvid}#train"))

    def make(**changes: Any) -> DistillSettings:
        plain = {k: getattr(train_settings(), k) for k in TrainSettings.__dataclass_fields__}
        return DistillSettings(**{**plain, "cache": tmp_path / "cache", **changes})

    return make


def _figures(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_soft_labels_of_a_sample_follow_its_label(distill_settings: Make) -> None:
    settings = distill_settings()
    frames = DecodedFrames(datasets.open(settings.data), 10)
    cache = softlabels.open(settings.cache)
    samples = TrainingSamples(frames, Preprocess(32, 48), AugmentSettings(scale=(0.6, 1.8)), 0, cache.window)
    for index in range(len(frames)):
        batch = samples[(0, index)]
        assert not isinstance(batch, Exception) and batch.soft_labels is not None
        teacher = batch.soft_labels.argmax(1)
        labeled = batch.labels != 255
        agreement = (teacher == batch.labels)[labeled].float().mean()
        assert agreement > 0.85  # all but the borders of the blocks


def test_terms_and_their_ratio_are_told(distill_settings: Make, tmp_path: Path) -> None:
    distill(distill_settings(kl_weight=0.5, ce_weight=2.0), tmp_path / "run")
    for line in _figures(tmp_path / "run"):
        assert line["loss"] == pytest.approx(2 * line["ce"] + 0.5 * line["kl"], rel=1e-4)
        assert line["kl_ce_ratio"] == pytest.approx(0.5 * line["kl"] / (2 * line["ce"]), rel=1e-4)


def test_soft_labels_change_what_is_learned(distill_settings: Make, tmp_path: Path) -> None:
    settings = distill_settings(epochs=1)
    plain = TrainSettings(**{k: getattr(settings, k) for k in TrainSettings.__dataclass_fields__})
    train(plain, tmp_path / "alone")
    distill(settings, tmp_path / "distilled")
    nets = [torch.load(tmp_path / n / "state.pt", weights_only=True)["net"] for n in ("alone", "distilled")]
    assert any(not torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


def test_checkpoint_names_the_soft_labels(distill_settings: Make, tmp_path: Path) -> None:
    from edgeseg.nets.checkpoint import read_info

    settings = distill_settings(epochs=1)
    info = read_info(distill(settings, tmp_path / "run").best)
    assert info.extra["soft_labels"] == softlabels.open(settings.cache).info.fingerprint
    assert info.training["kl_weight"] == settings.kl_weight


@pytest.mark.parametrize("changes", [{}, {"kl_weight": "auto", "kl_ratio": 0.7, "kl_schedule": "cosine"}])
def test_resumed_distillation_gives_the_same_bytes(
    distill_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    from edgeseg.students.run import Run

    settings = distill_settings(epochs=3, **changes)
    distill(settings, tmp_path / "whole")
    close = Run._close_epoch

    def interrupted(self: Run, epoch: int, figures: dict[str, Any]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        close(self, epoch, figures)

    monkeypatch.setattr(Run, "_close_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        distill(settings, tmp_path / "parts")
    monkeypatch.undo()
    distill(settings, tmp_path / "parts", resume=True)
    assert (tmp_path / "parts" / "last.edgeseg").read_bytes() == (tmp_path / "whole" / "last.edgeseg").read_bytes()
    untimed = [[line | {"images_per_s": 0} for line in _figures(tmp_path / n)] for n in ("parts", "whole")]
    assert untimed[0] == untimed[1]


def test_auto_weight_holds_the_ratio(distill_settings: Make, tmp_path: Path) -> None:
    distill(distill_settings(epochs=60, evaluate_every=60, kl_weight="auto", kl_ratio=0.6), tmp_path / "run")
    lines = _figures(tmp_path / "run")
    assert np.mean([line["kl_ce_ratio"] for line in lines[-20:]]) == pytest.approx(0.6, rel=0.1)
    assert lines[-1]["kl_weight"] != lines[0]["kl_weight"]


def test_weight_goes_down_with_its_schedule(distill_settings: Make, tmp_path: Path) -> None:
    distill(distill_settings(epochs=2, batch_size=7, kl_weight=0.4, kl_schedule="linear"), tmp_path / "run")
    assert [line["kl_weight"] for line in _figures(tmp_path / "run")] == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize(
    ("kind", "options"),
    [("reverse", {}), ("class-weighted", {"weighting": "median"}), ("cwd", {}), ("pairwise", {"cell": 4})],
)
def test_every_kind_trains(distill_settings: Make, tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    distill(distill_settings(epochs=8, kl_kind=kind, kl_options=options, kl_weight="auto"), tmp_path / "run")
    lines = _figures(tmp_path / "run")
    assert lines[-1]["kl"] < lines[0]["kl"]


def test_kl_alone_on_all_pixels_needs_no_labels(distill_settings: Make, camvid: str, tmp_path: Path) -> None:
    root = Path(camvid.partition(":")[2])
    (tmp_path / "unlabeled").mkdir()
    (root / "train").rename(tmp_path / "unlabeled" / "images")
    spec = f"folder:{tmp_path / 'unlabeled'}"
    (tmp_path / "unlabeled" / "classes.yaml").write_text(
        json.dumps(list(datasets.open(f"{camvid}#val").class_map.names))
    )
    unlabeled = datasets.open(spec)
    info = softlabels.CacheInfo(unlabeled.class_map, (), unlabeled.sample_ids, unlabeled.digest())
    with softlabels.CacheWriter(tmp_path / "other", info) as writer:
        for sample_id in unlabeled.sample_ids:
            writer.put(sample_id, np.full((11, 32, 48), 1 / 11, np.float32))
        writer.finish({})
    settings = distill_settings(data=spec, val="none", cache=tmp_path / "other", ce_weight=0.0, kl_on="all", epochs=1)
    distill(settings, tmp_path / "run")
    assert "ce" not in _figures(tmp_path / "run")[0]
    with pytest.raises(ConfigError, match=r"has no labels; .*ce_weight=0 and kl_on=all"):
        distill(replace(settings, kl_on="labeled"), tmp_path / "run2")


def test_cache_that_lacks_a_frame_is_refused_before_anything(
    distill_settings: Make, camvid: str, tmp_path: Path
) -> None:
    _write_cache(tmp_path / "small", datasets.Subset(datasets.open(f"{camvid}#train"), range(5)))
    with pytest.raises(CacheError, match=r"2 of 7 frames are missing"):
        distill(distill_settings(cache=tmp_path / "small"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ensemble_that_loses_to_its_member_is_refused_before_anything(
    distill_settings: Make, camvid: str, tmp_path: Path
) -> None:
    gate = {"teachers": [{"model": "t", "miou": 0.5, "iou": {}}], "ensemble": {"miou": 0.4, "iou": {}}}
    _write_cache(tmp_path / "worse", datasets.open(f"{camvid}#train"), gate=gate)
    with pytest.raises(CacheError, match=r"loses to its best member: overall 40\.0 against 50\.0 % IoU of t"):
        distill(distill_settings(cache=tmp_path / "worse", require_ensemble_gain=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folder_that_is_no_cache_is_refused(distill_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="is not a soft-label cache"):
        distill(distill_settings(cache=tmp_path / "absent"), tmp_path / "run")


def test_truncated_frame_stops_with_the_cache_s_own_message(distill_settings: Make, tmp_path: Path) -> None:
    settings = distill_settings(workers=1)
    frame = next((tmp_path / "cache" / "frames").glob("*/*/c/3/0/0/0"))
    frame.write_bytes(frame.read_bytes()[:-20])
    with pytest.raises(CacheError) as caught:
        distill(settings, tmp_path / "run")
    assert "train3" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_resume_with_another_cache_is_refused(distill_settings: Make, camvid: str, tmp_path: Path) -> None:
    settings = distill_settings(epochs=1)
    distill(settings, tmp_path / "run")
    shutil.rmtree(settings.cache)
    _write_cache(tmp_path / "cache", datasets.open(f"{camvid}#train"), temperature=5.0)
    with pytest.raises(ConfigError, match=r"soft_labels: '.*', now '"):
        distill(settings, tmp_path / "run", resume=True)


def test_settings_survive_yaml(distill_settings: Make, tmp_path: Path) -> None:
    config.write(distill_settings(), tmp_path / "c.yaml")
    assert config.resolve(DistillSettings, tmp_path / "c.yaml") == distill_settings()
