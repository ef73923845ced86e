from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgeseg import config, datasets
from edgeseg.errors import ConfigError, DataError, OutputError, TrainingError
from edgeseg.images import write_png
from edgeseg.nets.checkpoint import load_checkpoint, read_info
from edgeseg.preprocess import Preprocess
from edgeseg.students import TrainSettings, train
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.groups import OptimizerSettings
from edgeseg.students.hardware import choose
from edgeseg.students.run_folder import RunFolder
from edgeseg.students.validation import validate
from tests.killing import kill_when

Make = Callable[..., TrainSettings]
TIMING = ("images_per_s",)


def _figures(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines]


def _same_results(one: Path, two: Path) -> None:
    assert _figures(one) == _figures(two)
    for name in ("best.edgeseg", "last.edgeseg"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    states = [torch.load(out / "state.pt", weights_only=True) for out in (one, two)]
    assert states[0]["net"].keys() == states[1]["net"].keys()
    assert all(torch.equal(states[0]["net"][key], states[1]["net"][key]) for key in states[0]["net"])


def test_run_writes_what_it_promises(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings()
    result = train(settings, tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "best.edgeseg",
        "config.yaml",
        "last.edgeseg",
        "metrics.jsonl",
        "state.pt",
    ]
    figures = _figures(tmp_path / "run")
    assert [line["epoch"] for line in figures] == [1, 2]
    assert {"loss", "ce", "learning_rate", "miou"} <= figures[0].keys()
    assert result.best_miou == max(line["miou"] for line in figures)
    assert json.dumps(result.to_dict())
    written = config.resolve(TrainSettings, tmp_path / "run" / "config.yaml")
    assert written == replace(settings, height=32, width=48)


def test_checkpoint_carries_everything_about_the_model(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(height=24, width=40, network="enet")
    result = train(settings, tmp_path / "run")
    info = read_info(result.best)
    data = datasets.open(settings.data)
    assert info.class_map == data.class_map
    assert info.preprocess == Preprocess(24, 40, settings.preprocess.mean, settings.preprocess.std)
    assert info.data_digest == data.digest()
    assert info.training == config.to_plain(settings)
    checkpoint = load_checkpoint(result.best)
    frames = DecodedFrames(datasets.open(str(settings.val)), 10)
    miou = validate(checkpoint.net, frames, info.preprocess, choose(settings)).miou()
    assert miou == result.best_miou == info.extra["val_miou"]


def test_training_learns(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=40, ema_decay=0.0)
    train(replace(settings, optimizer=OptimizerSettings(learning_rate=0.02)), tmp_path / "run")
    figures = _figures(tmp_path / "run")
    assert figures[-1]["loss"] < 0.8 * figures[0]["loss"]
    assert figures[-1]["miou"] > 0.2 + figures[0]["miou"]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_same_seed_gives_the_same_bytes(train_settings: Make, tmp_path: Path, precision: str) -> None:
    for name, workers in (("one", 0), ("two", 1)):
        train(train_settings(precision=precision, workers=workers), tmp_path / name)
    one, two = (torch.load(tmp_path / n / "state.pt", weights_only=True) for n in ("one", "two"))
    assert all(torch.equal(one["net"][key], two["net"][key]) for key in one["net"])
    assert _figures(tmp_path / "one") == _figures(tmp_path / "two")


def test_other_seed_gives_other_weights(train_settings: Make, tmp_path: Path) -> None:
    for seed in (0, 1):
        train(train_settings(seed=seed, epochs=1), tmp_path / str(seed))
    assert _figures(tmp_path / "0") != _figures(tmp_path / "1")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_interrupted_run_resumes_to_the_same_bytes(
    train_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    settings = config.resolve(
        TrainSettings, None, [f"optimizer.kind={optimizer}"], config.to_plain(train_settings(epochs=3))
    )
    train(settings, tmp_path / "whole")
    _interrupt_after_writing_checkpoints(monkeypatch, epoch=2)
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "parts")
    assert len(_figures(tmp_path / "parts")) == 2  # the state knows of one
    monkeypatch.undo()
    train(settings, tmp_path / "parts", resume=True)
    _same_results(tmp_path / "whole", tmp_path / "parts")


def _interrupt_after_writing_checkpoints(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    write = RunFolder.write_state

    def interrupted(self: RunFolder, state: Any) -> None:
        if state.epoch == epoch:
            raise KeyboardInterrupt
        write(self, state)

    monkeypatch.setattr(RunFolder, "write_state", interrupted)


def test_run_killed_by_sigkill_resumes_to_the_same_bytes(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=60, workers=1)
    train(settings, tmp_path / "whole")
    config.write(settings, tmp_path / "settings.yaml")
    code = (
        "import sys; from pathlib import Path; from edgeseg.config import resolve; from edgeseg import students\n"
        f"students.train(resolve(students.TrainSettings, Path({str(tmp_path / 'settings.yaml')!r})), "
        f"Path({str(tmp_path / 'killed')!r}))"
    )
    metrics = tmp_path / "killed" / "metrics.jsonl"
    kill_when(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 4, ["-c", code])
    assert len(metrics.read_text().splitlines()) < 60
    result = train(settings, tmp_path / "killed", resume=True)
    assert result.epochs == 60
    _same_results(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed").glob(".*"))


def test_resume_of_a_finished_run_changes_nothing(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings()
    first = train(settings, tmp_path / "run")
    before = (tmp_path / "run" / "last.edgeseg").read_bytes()
    assert train(settings, tmp_path / "run", resume=True) == first
    assert (tmp_path / "run" / "last.edgeseg").read_bytes() == before


def test_resume_without_a_run_starts_one(train_settings: Make, tmp_path: Path) -> None:
    assert train(train_settings(epochs=1), tmp_path / "run", resume=True).epochs == 1


def test_resume_with_changed_settings_names_them(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=1)
    train(settings, tmp_path / "run")
    changed = replace(settings, epochs=4, optimizer=replace(settings.optimizer, learning_rate=0.5), memory_mb=7)
    with pytest.raises(ConfigError) as caught:
        train(changed, tmp_path / "run", resume=True)
    assert "epochs: 1, now 4" in str(caught.value)
    assert "optimizer.learning_rate: 0.002, now 0.5" in str(caught.value)
    assert "memory_mb" not in str(caught.value)


def test_run_of_a_version_with_fewer_settings_goes_on(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=1)
    first = train(settings, tmp_path / "run")
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    del state["settings"]["semi"], state["settings"]["augment"]["hue"]
    torch.save(state, tmp_path / "run" / "state.pt")
    assert train(settings, tmp_path / "run", resume=True) == first
    with pytest.raises(ConfigError, match=r"augment\.hue: 0\.0, now 0\.2;"):
        train(replace(settings, augment=replace(settings.augment, hue=0.2)), tmp_path / "run", resume=True)


def test_resume_with_changed_data_is_refused(train_settings: Make, camvid: str, tmp_path: Path) -> None:
    settings = train_settings(epochs=1)
    train(settings, tmp_path / "run")
    label = Path(camvid.partition(":")[2]) / "trainannot" / "train0.png"
    write_png(label, datasets.open(settings.data).label(1))
    with pytest.raises(ConfigError, match="training data changed"):
        train(settings, tmp_path / "run", resume=True)


def test_damaged_state_is_named(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=1)
    train(settings, tmp_path / "run")
    state = tmp_path / "run" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"state\.pt: cannot be read"):
        train(settings, tmp_path / "run", resume=True)


def test_folder_with_a_run_is_not_overwritten(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(epochs=1)
    train(settings, tmp_path / "run")
    with pytest.raises(OutputError, match=r"holds a run .*--resume"):
        train(settings, tmp_path / "run")


def test_folder_where_another_process_trains_is_left_alone(train_settings: Make, tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run").claimed(resume=False),
        pytest.raises(OutputError, match=r"run: another process trains in this folder; wait for it, or name another"),
    ):
        train(train_settings(), tmp_path / "run", resume=True)


def test_unwritable_output_is_named(train_settings: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        train(train_settings(), tmp_path / "file" / "run")


def test_full_disk_leaves_the_last_state_whole(
    train_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = train_settings(epochs=2)
    save = torch.save

    def fail_late(content: dict[str, Any], path: Path) -> None:
        if content["epoch"] == 2:
            raise OSError(28, "No space left on device", str(path))
        save(content, path)

    monkeypatch.setattr(torch, "save", fail_late)
    with pytest.raises(OutputError, match="No space left on device"):
        train(settings, tmp_path / "run")
    assert not list((tmp_path / "run").glob(".*"))
    monkeypatch.undo()
    train(settings, tmp_path / "whole")
    train(settings, tmp_path / "run", resume=True)
    _same_results(tmp_path / "whole", tmp_path / "run")


def test_loss_that_is_not_finite_stops_with_the_samples(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(batch_size=7)
    broken = replace(settings, optimizer=replace(settings.optimizer, kind="sgd", learning_rate=100.0), epochs=50)
    with pytest.raises(TrainingError) as caught:
        train(broken, tmp_path / "run")
    message = str(caught.value)
    assert "not finite" in message and "epoch" in message and "iteration" in message
    assert all(f"train/train{n}" in message for n in range(7))


def test_memory_that_does_not_suffice_is_told(
    train_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(nn.functional, "cross_entropy", no_memory)
    with pytest.raises(TrainingError, match=r"does not suffice for 3 samples of 32x48; lower batch_size"):
        train(train_settings(), tmp_path / "run")


def test_broken_label_stops_the_run_at_its_start(train_settings: Make, camvid: str, tmp_path: Path) -> None:
    (Path(camvid.partition(":")[2]) / "trainannot" / "train3.png").write_bytes(b"not a png")
    with pytest.raises(DataError, match=r"train3\.png"):
        train(train_settings(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_val_a_part_is_held_out(train_settings: Make, tmp_path: Path) -> None:
    result = train(train_settings(val=None, epochs=1), tmp_path / "run")
    train_part, _ = datasets.holdout(datasets.open(train_settings().data))
    assert read_info(result.best).data_digest == train_part.digest()
    assert result.best_miou is not None


def test_val_none_makes_the_last_the_best(train_settings: Make, tmp_path: Path) -> None:
    result = train(train_settings(val="none"), tmp_path / "run")
    assert result.best_miou is None
    assert result.best.read_bytes() == result.last.read_bytes()


def test_validation_comes_when_asked_and_at_the_end(train_settings: Make, tmp_path: Path) -> None:
    train(train_settings(epochs=5, evaluate_every=2), tmp_path / "run")
    assert [line["miou"] is not None for line in _figures(tmp_path / "run")] == [False, True, False, True, True]


def test_val_with_other_classes_is_refused(train_settings: Make, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_png(other / "images" / "a.png", np.zeros((32, 48, 3), np.uint8))
    write_png(other / "masks" / "a.png", np.zeros((32, 48), np.uint8))
    (other / "classes.yaml").write_text("[road, sky]")
    with pytest.raises(ConfigError, match=r"has the classes road, sky.*must be the same"):
        train(train_settings(val=f"folder:{other}"), tmp_path / "run")


def test_val_without_any_labeled_pixel_is_refused(train_settings: Make, camvid: str, tmp_path: Path) -> None:
    for label in (Path(camvid.partition(":")[2]) / "valannot").iterdir():
        write_png(label, np.full((32, 48), 11, np.uint8))
    with pytest.raises(DataError, match=r"#val: every pixel of every label is ignored"):
        train(train_settings(), tmp_path / "run")


def test_init_starts_from_the_checkpoint(train_settings: Make, tmp_path: Path) -> None:
    first = train(train_settings(epochs=1, network="enet"), tmp_path / "first")
    frozen = replace(
        train_settings(epochs=1, network="enet", init=first.last), optimizer=OptimizerSettings(learning_rate=1e-12)
    )
    second = train(frozen, tmp_path / "second")
    before, after = (load_checkpoint(r.last).net.state_dict() for r in (first, second))
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in before if key.endswith("weight"))


def test_backbone_weights_of_a_network_without_backbone_are_refused(train_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ENet has no backbone"):
        train(train_settings(network="enet", backbone_weights=tmp_path / "x.pth"), tmp_path / "run")
