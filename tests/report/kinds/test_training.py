"""Trainings and distillations as a report tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeseg.report import Gallery
from edgeseg.report.kinds import read_run

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"

Train = Callable[..., Path]
STEADY = (1.0,) * 10


def test_training_tells_the_best_epoch_and_that_it_was_chosen_on(train: Train) -> None:
    run = read_run(train(loss=STEADY, miou=[0.1, 0.5, 0.495] + [0.495] * 7))
    assert run.kind == "training"
    assert "Best validation mIoU 50.0 %, in epoch 2" in run.summary[0] and "no figure to report" in run.summary[0]
    assert run.figures["best validation mIoU"] == 0.5 and run.figures["epochs"] == 10
    assert run.warnings == ()


def test_training_whose_loss_still_falls_is_told_by_how_much(train: Train) -> None:
    run = read_run(train(loss=[10.0] * 6 + [5.0, 5.0, 4.0, 4.0], miou=[0.5] * 10))
    assert "the loss still falls: by 20.0%" in run.warnings[0]


def test_training_whose_miou_fell_is_told_to_use_the_best(train: Train) -> None:
    run = read_run(train(loss=STEADY, miou=[0.5, 0.6] + [0.55] * 8))
    assert "fell from 60.0 % in epoch 2 to 55.0 % at the end" in run.warnings[0]
    assert "use best.edgeseg" in run.warnings[0]


def test_training_without_validation_unfinished_or_not_finite_is_told(train: Train) -> None:
    told = " ".join(read_run(train(loss=[1.0, float("nan")], epochs=9)).warnings)
    assert "only 2 of 9 epochs" in told and "not finite" in told and "no mIoU was measured" in told


def test_training_without_an_epoch_is_told(train: Train) -> None:
    assert "no epoch was finished" in read_run(train(loss=())).warnings[0]


def test_training_shows_frames_of_its_data(train: Train) -> None:
    section = next(s for s in read_run(train()).sections if s.title == "Example frames")
    gallery = next(block for block in section.blocks if isinstance(block, Gallery))
    assert len(gallery.rows) == 3 and [len(row) for row in gallery.rows] == [2, 2, 2]


def test_training_whose_data_is_elsewhere_says_so(train: Train) -> None:
    section = next(s for s in read_run(train(data="camvid:/nowhere#train")).sections if s.title == "Example frames")
    assert "cannot be shown here" in section.text and "/nowhere" in section.text and not section.blocks


def test_distillation_is_read_from_the_files_that_are_kept_of_it() -> None:
    run = read_run(RESULTS / "camvid" / "forty-epochs" / "enet-distilled-seed0.metrics.jsonl")
    assert (run.kind, run.name) == ("distillation", "enet-distilled-seed0")
    # First and last line of the file: λ·KL over CE is 6.0... and 0.0016...
    assert "λ·KL was 6 times the cross-entropy in the first epoch and 0.0016 times in the last" in run.summary[-1]
    assert {course.y_label for course in run.courses} == {"loss", "cross-entropy, nats", "KL, nats"}
