"""EquAL in the loop: patches of all frames by the entropy of a pair of predictions, and its loss in the training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeseg.active import methods
from edgeseg.active.answers import NOT_ASKED, Answers, write_answer
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.equal import FlipPairLoss
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.students import Step
from edgeseg.students.losses import CrossEntropy
from tests.active.methods.begun import begin
from tests.active.methods.silent import silent


def _entropy(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits.astype(np.float64))
    probs = raised / raised.sum(0)
    return np.asarray(-(probs * np.log(probs)).sum(0))


def _patch_values(state: Round, rows: int, columns: int) -> dict[tuple[int, int], float]:
    """(frame, first pixel) → score of a patch; 48×64 pixels must divide."""
    values = {}
    for index in range(len(state.pool)):
        image = state.pool.frame(index).image
        here = state.runner.infer(image)["logits"]
        there = state.runner.infer(np.ascontiguousarray(image[:, ::-1]))["logits"][:, :, ::-1]
        total = _entropy(here) + _entropy(there)
        high, wide = 48 // rows, 64 // columns
        for top in range(0, 48, high):
            for left in range(0, 64, wide):
                values[index, top * 64 + left] = float(total[top : top + high, left : left + wide].mean())
    return values


def test_patches_of_highest_score_of_all_frames_come_first(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "equal", own={"grid": (4, 4)})
    found = list(method.select(state))
    expected = _patch_values(state, 4, 4)
    best = sorted(expected.values(), reverse=True)[: state.budget.amount // (12 * 16)]
    assert [c.value for c in found] == pytest.approx(best, rel=1e-5)
    for choice in found:
        assert choice.value == pytest.approx(expected[choice.frame, int(choice.pixels[0])], rel=1e-5)
        assert len(choice.pixels) == 12 * 16 and choice.clicks >= 5


def test_patch_that_was_asked_for_is_not_asked_for_again(tmp_path: Path) -> None:
    method, state, world = begin(tmp_path, "equal", own={"grid": (4, 4)})
    first = next(iter(method.select(state)))
    answer = np.full(48 * 64, NOT_ASKED, np.uint8)
    answer[first.pixels] = 255  # void, and asked for all the same
    write_answer(tmp_path / "answers", state.pool.frames.sample_ids[first.frame], answer.reshape(48, 64))
    again = replace(state, pool=world.pool(Answers((tmp_path / "answers",))))
    left = list(method.select(again))
    assert left and all(c.frame != first.frame or not set(c.pixels) & set(first.pixels) for c in left)
    assert any(c.frame == first.frame for c in left)  # the rest of a touched frame stays in the race


def test_constant_prediction_ends_the_run(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "equal")
    with pytest.raises(TrainingError, match=r"method equal: the entropy is constant \(4.79.* over all of 6 frames\)"):
        list(method.select(replace(state, runner=silent(state.runner))))


def test_training_minimises_all_four_terms_and_ignores_what_was_not_asked_for(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "equal")
    assert method.rest == "ignore"
    lines = [json.loads(line) for line in (state.checkpoint.parent / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["loss"] == pytest.approx(line["ce"] + line["mirrored_ce"] + line["consistency"], rel=1e-5)
        assert line["mirrored_ce"] > 0 and line["consistency"] > 0


def test_pair_of_a_network_that_sees_single_pixels_agrees() -> None:
    net, images = nn.Conv2d(3, 4, 1), torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    label = torch.randint(0, 4, (2, 5, 6), dtype=torch.uint8)
    step = Step(images, label, net(images), net, CrossEntropy(), 0.0, ("a", "b"))
    terms = FlipPairLoss(4)(step)
    torch.testing.assert_close(terms["consistency"], torch.tensor(0.0))
    torch.testing.assert_close(terms["mirrored_ce"], CrossEntropy()(net(images), label))


def test_certain_of_one_class_or_of_none_is_told(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "equal")
    list(method.select(state))
    assert 0 <= state.figures["entropy_low"] < state.figures["entropy_high"] <= 2 * math.log(11) + 1e-5


@pytest.mark.parametrize(
    ("grid", "message"), [([0, 5], r"rows and columns of patches, got \[0, 5\]"), (5, "grid: Input should be")]
)
def test_grid_without_patches_is_refused(grid: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        methods.build("equal", MethodOptions(own={"grid": grid}))
