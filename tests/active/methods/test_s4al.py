"""S4AL in the loop: squares of every frame by the network's entropy, the rest of the frame by a mean teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg import active, datasets
from edgeseg.active import methods
from edgeseg.active.answers import NOT_ASKED, Answers, write_answer
from edgeseg.active.choices import Budget
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.s4al import EarlyLabels, most_of_one, squares
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.students import Step
from edgeseg.students.losses import CrossEntropy
from tests.active.methods.begun import begin, settings_of
from tests.active.methods.silent import silent

SIX_ROWS = {"rows": 6}  # squares of 8×8 pixels in 48×64


def _square_values(state: Round, index: int, labeled: np.ndarray) -> np.ndarray:
    """Mean entropy of each of 6×8 squares with labeled pixels as 0."""
    logits = state.runner.infer(state.pool.frame(index).image)["logits"].astype(np.float64)
    probs = np.exp(logits) / np.exp(logits).sum(0)
    entropy = np.where(labeled, 0, -(probs * np.log(probs)).sum(0))
    return np.asarray([[entropy[y : y + 8, x : x + 8].mean() for x in range(0, 64, 8)] for y in range(0, 48, 8)])


def test_every_frame_gets_its_own_best_squares(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "s4al", own=SIX_ROWS)
    found = list(state.budget.taken(method.select(state)))
    counts = [sum(choice.frame == index for choice in found) for index in range(6)]
    assert sum(counts) == state.budget.amount // 64 and max(counts) - min(counts) <= 1
    for index in range(6):
        values = _square_values(state, index, np.zeros((48, 64), bool))
        mine = [choice for choice in found if choice.frame == index]
        assert [c.value for c in mine] == pytest.approx(sorted(values.ravel(), reverse=True)[: len(mine)], rel=1e-5)
        for choice in mine:
            top, left = divmod(int(choice.pixels[0]), 64)
            assert len(choice.pixels) == 64 and values[top // 8, left // 8] == pytest.approx(choice.value, rel=1e-5)


def test_labeled_pixels_count_as_certain_and_are_not_asked_for_again(tmp_path: Path) -> None:
    method, state, world = begin(tmp_path, "s4al", own=SIX_ROWS)
    answer = np.full((48, 64), NOT_ASKED, np.uint8)
    answer[:, :56], answer[0, 60] = 3, 3  # only the last column of squares is left, and of it not the first
    write_answer(tmp_path / "answers", state.pool.frames.sample_ids[2], answer)
    again = replace(state, pool=world.pool(Answers((tmp_path / "answers",))))
    values = _square_values(state, 2, answer != NOT_ASKED)
    mine = [choice for choice in method.select(again) if choice.frame == 2]
    assert {int(choice.pixels[0]) for choice in mine} == {8 * row * 64 + 56 for row in range(1, 6)}
    assert [c.value for c in mine] == pytest.approx(sorted(values[1:, 7], reverse=True), rel=1e-5)


def test_constant_prediction_ends_the_run(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "s4al")
    with pytest.raises(TrainingError, match=r"method s4al: the entropy is constant \(2.39.* over all of 6 frames\)"):
        list(method.select(replace(state, runner=silent(state.runner))))


def test_training_learns_from_all_frames_with_every_part_on(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "s4al", training={"semi": {"threshold": 0.5}})
    semi = state.training.semi
    assert (semi.mean_teacher, semi.confidence_weighting, semi.classmix, semi.known_labels) == (
        True,
        True,
        "balanced",
        True,
    )
    assert semi.threshold == 0.5 and method.rest == "ignore"
    assert state.training.unlabeled is not None and len(datasets.open(state.training.unlabeled)) == 6
    line = json.loads((state.checkpoint.parent / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["pseudo_ce"] > 0 and sum(line["pasted"].values()) > 0


def test_answered_frames_have_the_same_ids_among_labeled_and_unlabeled_ones(tmp_path: Path) -> None:
    """What ``known_labels`` relies on: without it the teacher would label what people have labeled."""
    active.run(settings_of("s4al", method={"s4al": SIX_ROWS}), tmp_path / "run")
    seed = tmp_path / "run" / "seed-0"
    labeled, unlabeled = (datasets.open(f"folder:{path}") for path in (seed / "s4al/round-1/data", seed / "unlabeled"))
    shared = set(labeled.sample_ids) & set(unlabeled.sample_ids)
    assert len(shared) == 6 and len(labeled) == 9
    index = labeled.sample_ids.index(sorted(shared)[0])
    assert 0 < (labeled.label(index) != 255).mean() < 0.5  # the rest of a frame is ignored, not the model's word


def test_labels_count_half_as_much_again_until_unlabeled_frames_join_in() -> None:
    logits, label = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6), dtype=torch.uint8)

    def loss(progress: float) -> float:
        step = Step(torch.zeros(2, 3, 5, 6), label, logits, lambda images: images, CrossEntropy(), progress, ())
        return float(EarlyLabels(4, until=0.1)(step)["loss"])

    assert loss(0.0) == loss(0.09) == pytest.approx(0.5 * float(CrossEntropy()(logits, label)))
    assert loss(0.1) == loss(0.9) == 0


@pytest.mark.parametrize(("epochs", "until"), [(2, 0.0), (20, 0.1)])
def test_early_labels_end_when_unlabeled_frames_begin(epochs: int, until: float) -> None:
    method = methods.build("s4al", MethodOptions())
    training = method.training(settings_of("s4al").trained(0, 3))
    training = method.training(replace(training, epochs=epochs, extra_loss=None))
    assert training.extra_options == {"until": pytest.approx(until)}


def test_squares_of_the_authors_frames_are_theirs() -> None:
    regions = squares(360, 480, 12)
    assert regions.max() + 1 == 12 * 16 and (np.bincount(regions.ravel()) == 900).all()
    assert (regions[30:60, 60:90] == 18).all()


@pytest.mark.parametrize(("unit", "amount", "most"), [("pixels", 6 * 4 * 900, 5), ("clicks", 90, 4)])
def test_bound_of_one_frame_is_never_below_what_the_budget_allows(unit: str, amount: int, most: int) -> None:
    assert most_of_one(Budget(unit, amount), frames=6, pixels=900) == most  # type: ignore[arg-type]


def test_no_row_is_refused() -> None:
    with pytest.raises(ConfigError, match="rows must be 1 or more"):
        methods.build("s4al", MethodOptions(own={"rows": 0}))
