"""Trainings with unlabeled frames, from settings to files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgeseg import config, datasets, softlabels
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError, ConfigError, DataError
from edgeseg.images import write_png
from edgeseg.nets.checkpoint import read_info
from edgeseg.students import DistillSettings, TrainSettings, distill, train
from edgeseg.students.groups import AugmentSettings
from edgeseg.students.run import Run
from edgeseg.students.semi.settings import SemiSettings

Make = Callable[..., Any]
TIMING = "images_per_s"


@pytest.fixture
def semi_settings(train_settings: Callable[..., TrainSettings], camvid: str) -> Make:
    """Four labeled frames of seven, the other three unlabeled; keyword arguments of ``semi`` stand in ``semi``."""

    def make(semi: dict[str, Any] | None = None, **changes: Any) -> TrainSettings:
        semi_settings = SemiSettings(**({"start_epoch": 0, "threshold": 0.1} | (semi or {})))
        plain = {"data": f"{camvid}#train@1/2", "unlabeled": f"{camvid}#train@~1/2", "batch_size": 2}
        return train_settings(semi=semi_settings, **(plain | changes))

    return make


def _cache(folder: Path, dataset: Dataset, size: tuple[int, int] = (32, 48), class_map: ClassMap | None = None) -> Path:
    class_map = class_map or dataset.class_map
    info = softlabels.CacheInfo(class_map, (), dataset.sample_ids, dataset.digest())
    with softlabels.CacheWriter(folder, info) as writer:
        for sample_id in dataset.sample_ids:
            probs = np.full((class_map.num_classes, *size), 1 / class_map.num_classes, np.float32)
            writer.put(sample_id, probs)
        writer.finish({})
    return folder


@pytest.fixture
def distill_settings(semi_settings: Make, camvid: str, tmp_path: Path) -> Make:
    """The same with a cache of the whole split."""
    cache = _cache(tmp_path / "cache", datasets.open(f"{camvid}#train"))

    def make(semi: dict[str, Any] | None = None, **changes: Any) -> DistillSettings:
        own = {name: changes.pop(name) for name in ("cache", "unlabeled_cache") if name in changes}
        settings = semi_settings(semi, **changes)
        plain = {name: getattr(settings, name) for name in TrainSettings.__dataclass_fields__}
        return DistillSettings(**{**plain, "cache": cache, **own})

    return make


def _figures(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != TIMING} for line in lines]


def _interrupted(epoch_to_lose: int) -> Callable[[Run, int, dict[str, Any]], None]:
    close = Run._close_epoch

    def interrupt(self: Run, epoch: int, figures: dict[str, Any]) -> None:
        if epoch == epoch_to_lose:
            raise KeyboardInterrupt
        close(self, epoch, figures)

    return interrupt


@pytest.mark.parametrize("classmix", ["plain", "balanced"])
def test_resumed_run_gives_the_same_bytes(
    semi_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classmix: str
) -> None:
    settings = semi_settings({"classmix": classmix, "start_epoch": 1}, epochs=4)
    train(settings, tmp_path / "whole")
    monkeypatch.setattr(Run, "_close_epoch", _interrupted(2))
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "parts")
    monkeypatch.undo()
    train(replace(settings, workers=1), tmp_path / "parts", resume=True)
    assert _figures(tmp_path / "parts") == _figures(tmp_path / "whole")
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "parts")]
    for part in ("net", "ema", "teacher"):
        assert all(torch.equal(states[0][part][key], states[1][part][key]) for key in states[0][part]), part


OFF = {"mean_teacher": False, "confidence_weighting": False, "classmix": "off"}
PARTS = {
    "mean teacher": OFF | {"mean_teacher": True},
    "confidence": OFF | {"confidence_weighting": True},
    "plain mix": OFF | {"classmix": "plain"},
    "balanced mix": OFF | {"classmix": "balanced"},
}


@pytest.mark.parametrize("name", PARTS)
def test_each_part_alone_changes_what_is_learned(semi_settings: Make, tmp_path: Path, name: str) -> None:
    train(semi_settings(OFF, epochs=3), tmp_path / "none")
    train(semi_settings(PARTS[name], epochs=3), tmp_path / "one")
    nets = [torch.load(tmp_path / run / "state.pt", weights_only=True)["net"] for run in ("none", "one")]
    assert any(not torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


def test_class_weights_of_the_labels_weigh_pseudo_labels_too(semi_settings: Make, tmp_path: Path) -> None:
    first = []
    for name, weighted, weighting in (
        ("a", True, "none"),
        ("b", False, "none"),
        ("c", False, "enet"),
        ("d", True, "enet"),
    ):
        settings = semi_settings({"class_weights": weighted, "classmix": "off"}, epochs=1, batch_size=4)
        train(replace(settings, loss=replace(settings.loss, class_weighting=weighting)), tmp_path / name)
        first.append(_figures(tmp_path / name)[0]["pseudo_ce"])
    assert first[0] == first[1] == first[2] != first[3]


def test_figures_are_told_from_the_start_epoch_on(semi_settings: Make, tmp_path: Path) -> None:
    train(semi_settings({"start_epoch": 2, "classmix": "balanced", "pasted_head": 1}, epochs=4), tmp_path / "run")
    figures = _figures(tmp_path / "run")
    assert ["pseudo_ce" in line for line in figures] == [False, False, True, True]
    assert sum(figures[0]["pasted"].values()) == 0
    for line in figures[2:]:
        assert line["loss"] == pytest.approx(line["ce"] + line["pseudo_ce"], rel=1e-5)
        assert 0 < line["confidence"] < 1 and 0 <= line["sure"] <= 1
        # Two iterations of two images, each with one head class and one or two of the rare classes, which are 2 of 4.
        assert 2 * 4 <= sum(line["pasted"].values()) <= 3 * 4


def test_start_defaults_to_a_tenth_of_the_epochs() -> None:
    assert SemiSettings().first_epoch(100) == 10
    assert SemiSettings().first_epoch(5) == 0


def test_unlabeled_frames_need_no_labels_and_may_have_another_size(
    semi_settings: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        write_png(tmp_path / "drive" / "images" / f"{number}.png", rng.integers(0, 255, (40, 90, 3)).astype(np.uint8))
    train(semi_settings(unlabeled=f"folder:{tmp_path}/drive", epochs=1), tmp_path / "run")
    assert "pseudo_ce" in _figures(tmp_path / "run")[0]
    assert "squeezed differently" in capsys.readouterr().err.replace("\n", " ")


def test_labels_of_unlabeled_frames_are_not_looked_at(semi_settings: Make, camvid: str, tmp_path: Path) -> None:
    settings = semi_settings(epochs=1)
    train(settings, tmp_path / "with")
    root = Path(camvid.partition(":")[2])
    for sample_id in datasets.open(settings.unlabeled).sample_ids:
        write_png(root / "trainannot" / f"{Path(sample_id).name}.png", np.zeros((32, 48), np.uint8))
    train(settings, tmp_path / "without")
    assert _figures(tmp_path / "with") == _figures(tmp_path / "without")


def test_known_labels_are_those_of_the_labeled_frames_with_the_same_ids(semi_settings: Make, tmp_path: Path) -> None:
    def pseudo_ce(name: str, known: bool, **changes: Any) -> float:
        semi = {"known_labels": known, "classmix": "off", "confidence_weighting": False}
        train(semi_settings(semi, epochs=1, batch_size=4, **changes), tmp_path / name)
        return float(_figures(tmp_path / name)[0]["pseudo_ce"])

    assert pseudo_ce("others", True) == pseudo_ce("others without", False)
    same = semi_settings().data
    untrained, labeled = pseudo_ce("same without", False, unlabeled=same), pseudo_ce("same", True, unlabeled=same)
    # A fresh network agrees with its own labels more than with the true ones.
    assert labeled > untrained


def test_checkpoint_says_what_unlabeled_frames_there_were(semi_settings: Make, tmp_path: Path) -> None:
    settings = semi_settings(epochs=1)
    info = read_info(train(settings, tmp_path / "run").last)
    assert info.extra["unlabeled"]["frames"] == 3
    assert info.training["semi"] == config.to_plain(settings)["semi"]
    assert info.data_digest == datasets.open(settings.data).digest()


def test_resuming_with_other_unlabeled_frames_is_refused(semi_settings: Make, tmp_path: Path) -> None:
    for number in range(3):
        write_png(tmp_path / "drive" / "images" / f"{number}.png", np.zeros((32, 48, 3), np.uint8))
    settings = semi_settings(unlabeled=f"folder:{tmp_path}/drive", epochs=1)
    train(settings, tmp_path / "run")
    (tmp_path / "drive" / "images" / "2.png").rename(tmp_path / "drive" / "images" / "3.png")
    with pytest.raises(ConfigError, match=r"settings changed since the run began: unlabeled\.digest"):
        train(settings, tmp_path / "run", resume=True)


def test_validation_frames_are_left_out(
    semi_settings: Make, camvid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(semi_settings(unlabeled=camvid, epochs=1), tmp_path / "run")
    assert read_info(result.last).extra["unlabeled"]["frames"] == 7
    assert "2 of 9 unlabeled frames are validation frames and left out" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"all frames of unlabeled .*#val are validation frames; name others"):
        train(semi_settings(unlabeled=f"{camvid}#val"), tmp_path / "run2")


def test_cache_teaches_the_unlabeled_frames_that_it_holds(distill_settings: Make, tmp_path: Path) -> None:
    distill(distill_settings(epochs=1), tmp_path / "run")
    line = _figures(tmp_path / "run")[0]
    assert line["loss"] == pytest.approx(
        line["ce"] + line["pseudo_ce"] + 0.2 * (line["kl"] + line["unlabeled_kl"]), rel=1e-4
    )
    distill(distill_settings({"cached_labels": False}, epochs=1), tmp_path / "off")
    assert "unlabeled_kl" not in _figures(tmp_path / "off")[0]
    distill(distill_settings({"weight": 0.0}, epochs=1), tmp_path / "alone")
    assert "pseudo_ce" not in _figures(tmp_path / "alone")[0]
    assert _figures(tmp_path / "alone")[0]["unlabeled_kl"] > 0


def test_cache_is_not_taken_for_another_dataset_s_frames_of_the_same_names(
    distill_settings: Make, camvid: str, tmp_path: Path
) -> None:
    root = Path(camvid.partition(":")[2])
    for path in root.glob("train/*.png"):
        write_png(tmp_path / "other" / "train" / path.name, np.zeros((32, 48, 3), np.uint8))
    distill(distill_settings(unlabeled=f"camvid:{tmp_path}/other#train", epochs=1), tmp_path / "run")
    assert "unlabeled_kl" not in _figures(tmp_path / "run")[0]


def test_second_cache_teaches_some_of_the_unlabeled_frames(
    distill_settings: Make, camvid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = _cache(tmp_path / "second", datasets.open(f"{camvid}#train@~3/4"))
    result = distill(distill_settings(unlabeled_cache=second, epochs=1), tmp_path / "run")
    held = set(softlabels.open(second)) & set(datasets.open(f"{camvid}#train@~1/2").sample_ids)
    assert f"{len(held)} of 3 unlabeled frames have soft labels" in capsys.readouterr().err.replace("\n", "")
    assert read_info(result.last).extra["unlabeled_soft_labels"] == softlabels.open(second).info.fingerprint


def test_second_cache_that_does_not_fit_is_refused(distill_settings: Make, camvid: str, tmp_path: Path) -> None:
    rest = datasets.open(f"{camvid}#train@~1/2")
    sizes = _cache(tmp_path / "sizes", rest, (16, 24))
    with pytest.raises(CacheError, match=r"3 frames have another size: train/train1 is 16x24 instead of 32x48"):
        distill(distill_settings(unlabeled_cache=sizes), tmp_path / "run")
    two = ClassMap("two", tuple(SegmentationClass(name, (1, 1, 1), (i,)) for i, name in enumerate(("a", "b"))))
    classes = _cache(tmp_path / "classes", rest, class_map=two)
    with pytest.raises(CacheError, match=r"it has 2 classes \(a, b\), the dataset 11"):
        distill(distill_settings(unlabeled_cache=classes), tmp_path / "run")
    none = _cache(tmp_path / "none", datasets.open(f"{camvid}#val"))
    with pytest.raises(CacheError, match=r"holds none of the 3 frames of unlabeled .*edgeseg cache build"):
        distill(distill_settings(unlabeled_cache=none), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_second_cache_without_unlabeled_frames_is_refused(distill_settings: Make) -> None:
    with pytest.raises(ConfigError, match="unlabeled_cache is given without unlabeled"):
        distill_settings(unlabeled=None, unlabeled_cache=Path("c"))


def test_nothing_to_learn_is_refused(semi_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing can be learned from unlabeled .*semi\.weight is 0"):
        train(semi_settings({"weight": 0.0}), tmp_path / "run")


def test_start_that_never_comes_is_refused(semi_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"semi\.start_epoch is 9, but there are only 2 epochs.*lower it"):
        train(semi_settings({"start_epoch": 9}), tmp_path / "run")


def test_plain_mix_of_one_image_is_refused(semi_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a batch has one; set semi\.batch_size to 2 or more"):
        train(semi_settings({"classmix": "plain", "batch_size": 1}), tmp_path / "run")


def test_balanced_mix_without_labels_is_refused(distill_settings: Make, tmp_path: Path) -> None:
    settings = replace(distill_settings(), ce_weight=0.0, kl_on="all")
    with pytest.raises(ConfigError, match=r"pastes labeled pixels, but this training reads no labels"):
        distill(settings, tmp_path / "run")


def test_windows_of_two_sizes_are_refused(semi_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"semi\.augment\.window is \(16, 16\), augment\.window None"):
        train(semi_settings({"augment": AugmentSettings(window=(16, 16))}), tmp_path / "run")


def test_unlabeled_folder_without_a_frame_is_refused(semi_settings: Make, tmp_path: Path) -> None:
    (tmp_path / "empty" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match="no images in"):
        train(semi_settings(unlabeled=f"folder:{tmp_path}/empty"), tmp_path / "run")


def test_broken_unlabeled_frame_stops_the_run_at_its_start(semi_settings: Make, camvid: str, tmp_path: Path) -> None:
    (Path(camvid.partition(":")[2]) / "train" / "train1.png").write_bytes(b"not a png")
    with pytest.raises(DataError, match=r"train1\.png"):
        train(semi_settings(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_auxiliary_heads_learn_from_labels_alone(semi_settings: Make, tmp_path: Path) -> None:
    settings = semi_settings(network="icnet", network_options={"backbone": "resnet18"}, epochs=1, batch_size=2)
    train(replace(settings, height=64, width=64), tmp_path / "run")
    assert {"aux", "pseudo_ce"} <= _figures(tmp_path / "run")[0].keys()


@pytest.mark.parametrize(("written", "meant"), [("off", "off"), ("false", "off"), ("plain", "plain")])
def test_off_may_be_written_as_yaml_reads_it(written: str, meant: str) -> None:
    found = config.resolve(TrainSettings, overrides=[f"semi.classmix={written}"], options={"data": "a", "network": "b"})
    assert found.semi.classmix == meant


@pytest.mark.parametrize(
    "setting", ["threshold=2", "weight=-1", "ema_decay=1", "pasted_tail=0", "batch_size=0", "start_epoch=-1"]
)
def test_settings_out_of_range_name_themselves(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(ConfigError, match=rf"semi\.{name} must be"):
        SemiSettings(**{name: float(value) if "." in value else int(value)})
