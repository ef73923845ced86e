"""DEAL in the loop: the branch is trained, the hardest frames among a half of them are asked for whole."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeseg.active import methods
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.deal import Deal, DifficultyLoss
from edgeseg.errors import ConfigError, ModelError, TrainingError
from edgeseg.students import Step
from tests.active.methods.begun import begin

SMALL: dict[str, Any] = {"attention": (6, 8)}


def _difficulty(state: Round, index: int) -> np.ndarray:
    """Difficulty (H, W) of a frame, from logits and the file of weights, formula by formula."""
    assert state.extra_weights is not None
    weights = {name.split(".", 1)[1]: tensor.numpy() for name, tensor in load_file(state.extra_weights).items()}
    logits = torch.from_numpy(state.runner.infer(state.pool.frame(index).image)["logits"])[None]
    probs = torch.nn.functional.interpolate(logits, size=(6, 8), mode="bilinear").softmax(1)[0].flatten(1).numpy()
    energy = np.exp(probs.T @ probs)
    attended = weights["attention.gamma"] * probs @ (energy / energy.sum(1, keepdims=True)).T + probs
    judged = weights["classifier.weight"][0, :, 0, 0] @ attended + weights["classifier.bias"]
    small = torch.from_numpy(judged.reshape(1, 1, 6, 8).astype(np.float32))
    return torch.nn.functional.interpolate(small, size=(48, 64), mode="bilinear").sigmoid()[0, 0].numpy()


def _entropy(difficulty: np.ndarray, levels: int) -> float:
    low, high = float(difficulty.min()), float(difficulty.max())
    counts = [0] * levels
    for value in difficulty.ravel():
        counts[min(levels - 1, int((float(value) - low) / (high - low) * levels))] += 1
    return -sum(n / difficulty.size * math.log(n / difficulty.size) for n in counts if n)


@pytest.mark.parametrize("strategy", ["deal", "deal-entropy"])
def test_the_hardest_frames_come_first_and_whole(tmp_path: Path, strategy: str) -> None:
    method, state, _ = begin(tmp_path, strategy, own={**SMALL, "candidates": 1.0}, share=1.0)
    found = list(method.select(state))
    maps = {index: _difficulty(state, index) for index in range(6)}
    expected = {i: float(m.mean()) if strategy == "deal" else _entropy(m, 8) for i, m in maps.items()}
    assert [c.frame for c in found] == sorted(expected, key=lambda i: -expected[i])
    for choice in found:
        assert choice.value == pytest.approx(expected[choice.frame], abs=0.01 if strategy == "deal-entropy" else 1e-5)
        assert choice.pixels.tolist() == list(range(48 * 64))


def test_half_of_the_untouched_frames_is_drawn_anew_each_round(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "deal", own=SMALL)
    assert isinstance(method, Deal)
    drawn = [method.candidates(replace(state, number=number)) for number in range(1, 9)]
    assert all(len(frames) == 3 and frames == sorted(set(frames)) for frames in drawn)
    assert len({tuple(frames) for frames in drawn}) > 1 and set().union(*drawn) == set(range(6))
    assert method.candidates(state) == drawn[0]
    assert len(method.candidates(replace(state, group=5))) == 5
    assert {choice.frame for choice in method.select(state)} == set(drawn[0])


def test_loss_and_range_of_the_difficulty_are_told(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "deal", own=SMALL)
    list(method.select(state))
    lines = [json.loads(line) for line in (state.checkpoint.parent / "metrics.jsonl").read_text().splitlines()]
    assert state.figures["difficulty_loss"] == lines[-1]["difficulty_loss"]
    assert 0 <= state.figures["difficulty_low"] < state.figures["difficulty_high"] <= 1
    for line in lines:
        assert line["loss"] == pytest.approx(line["ce"] + line["difficulty_loss"], rel=1e-5)
    assert lines[-1]["gamma"] != 0


def test_constant_difficulty_ends_the_run(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "deal", own=SMALL)
    assert state.extra_weights is not None
    weights = load_file(state.extra_weights)
    save_file({name: torch.zeros_like(tensor) for name, tensor in weights.items()}, tmp_path / "zero.safetensors")
    message = r"method deal: the difficulty is constant \(0.500000 to 0.500000 over all of 3 frames\).*train longer"
    with pytest.raises(TrainingError, match=message):
        list(method.select(replace(state, extra_weights=tmp_path / "zero.safetensors")))


def test_model_without_branch_is_refused(tmp_path: Path) -> None:
    method, state, _ = begin(tmp_path, "deal", own=SMALL)
    with pytest.raises(ModelError, match="has no difficulty branch beside it"):
        list(method.select(replace(state, extra_weights=None)))


def test_weight_scales_the_loss_and_not_what_is_told() -> None:
    logits = torch.randn(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    step = Step(torch.zeros(2, 3, 12, 16), torch.zeros(2, 12, 16, dtype=torch.uint8), logits, _none, _none, 0.0, ())
    terms = DifficultyLoss(3, (6, 8), weight=0.5)(step)
    torch.testing.assert_close(terms["loss"], 0.5 * terms["difficulty_loss"])


def _none(*_: Any) -> torch.Tensor:
    raise AssertionError


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"score": "sum"}, "score: Input should be 'mean' or 'entropy'"),
        ({"levels": 1}, "levels must be 2 or more, got 1"),
        ({"candidates": 0}, "candidates must be above 0"),
        ({"attention": [60]}, "attention.1: Field required"),
        ({"attention": [0, 80]}, "attention must be height and width"),
        ({"weight": 0}, "weight must be above 0"),
        ({"alpha": 1}, "method.alpha: no such option; the strategy's own are: score, levels"),
    ],
)
def test_options_out_of_range_name_themselves(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        methods.build("deal", MethodOptions(own=own))
