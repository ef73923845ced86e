"""VAAL in a round: whole frames, the least labeled-looking first; a critic that says nothing ends the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg.active.choices import Choice
from edgeseg.active.methods import MethodOptions, Round
from edgeseg.active.methods.adversarial.training import AdversarialPair
from edgeseg.active.methods.vaal import Vaal
from edgeseg.errors import ConfigError, TrainingError

Make = Callable[..., Round]
TINY = {"iterations": 2, "batch_size": 2, "log_every": 1}


def _method(**own: object) -> Vaal:
    return Vaal(MethodOptions(own={**TINY, **own}))


def test_whole_untouched_frames_come_by_rising_critics_output(
    make_round: Make, answered: Callable[[Round, Sequence[Choice]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Choice(1, np.arange(50), 1)
    state = make_round(number=2, before=answered(make_round(number=1), [one]))
    # Known are 3 frames of P and frame 1 of Q; then frames 0, 2 and 3 of Q.
    logits = np.array([2.0, 2.0, 2.0, 2.0, -1.0, -3.0, 0.5], np.float32)

    def scores(self: AdversarialPair, indices: torch.Tensor) -> np.ndarray:
        assert self.labeled.tolist() == [0, 1, 2, 3] and self.unlabeled.tolist() == [4, 5, 6]
        return logits[indices.numpy()]

    monkeypatch.setattr(AdversarialPair, "scores", scores)
    choices = list(_method().select(state))
    assert [choice.frame for choice in choices] == [2, 0, 3]
    assert [choice.value for choice in choices] == [3.0, 1.0, -0.5]
    assert all(len(choice.pixels) == state.pool.pixels(choice.frame) for choice in choices)
    assert all(choice.clicks > 1 and choice.answer == "pixels" for choice in choices)


def test_error_and_accuracy_are_told_and_logged(make_round: Make) -> None:
    state = make_round()
    assert len(list(_method().select(state))) == 4
    lines = [json.loads(line) for line in (state.folder / "vaal.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2]
    assert state.figures == {
        "vaal_reconstruction_error": lines[-1]["reconstruction_error"],
        "vaal_critic_accuracy": lines[-1]["critic_accuracy"],
    }
    assert 0.3 < lines[-1]["reconstruction_error"] < 3 and 0 <= lines[-1]["critic_accuracy"] <= 1


def test_a_constant_critic_ends_the_run(make_round: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    start = AdversarialPair.__init__

    def collapsed(self: AdversarialPair, *args: object) -> None:
        start(self, *args)  # type: ignore[arg-type]
        torch.nn.init.normal_(self.critic[4].weight, std=1e-6)
        torch.nn.init.constant_(self.critic[4].bias, 0.3)

    monkeypatch.setattr(AdversarialPair, "__init__", collapsed)
    with pytest.raises(TrainingError, match=r"vaal: the critic's output is constant \(0.57.* to 0.57.* 7 frames"):
        list(_method(learning_rate=1e-7).select(make_round()))


def test_options_are_checked_by_name() -> None:
    with pytest.raises(ConfigError, match=r"method.vaal.batch_size must be at least 2 and at most 4096, got 1"):
        _method(batch_size=1)
    with pytest.raises(ConfigError, match="iteration"):
        _method(iteration=1)
