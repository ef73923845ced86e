"""Further losses in the training step, and epochs of a given length."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edgeseg.errors import ConfigError, ModelError
from edgeseg.students import ExtraLoss, Step, TrainSettings, train
from edgeseg.students.batches import EpochBatches
from edgeseg.students.run import Run

Make = Callable[..., TrainSettings]
HERE = "tests.students.test_extra_loss"


class Mirrored(ExtraLoss):
    """Looks at the mirrored batch, and trains a weight of its own for each class."""

    def __init__(self, num_classes: int, weight: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(num_classes))
        self.weight = weight

    def forward(self, step: Step) -> dict[str, Tensor]:
        assert step.labels.shape == step.images[:, 0].shape and 0 <= step.progress < 1
        assert len(step.sample_ids) == len(step.images)
        mirrored = step.forward(step.images.flip(-1)).flip(-1)
        gap = ((step.logits - mirrored) * self.scale.view(1, -1, 1, 1)).square().mean()
        again = step.cross_entropy(mirrored, step.labels)
        return {"loss": self.weight * (gap + again), "gap": gap.detach()}


class Silent(ExtraLoss):
    """Forgets its loss."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, step: Step) -> dict[str, Tensor]:
        return {"ce": step.logits.mean()}


class NoLoss(nn.Module):
    """Another kind of module."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()


def _state(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(out / "state.pt", weights_only=True)
    return found


def test_loss_is_added_told_and_its_weights_are_trained_and_kept(train_settings: Make, tmp_path: Path) -> None:
    settings = train_settings(extra_loss=f"{HERE}:Mirrored", epochs=3)
    train(settings, tmp_path / "with")
    train(train_settings(epochs=3), tmp_path / "without")
    lines = [json.loads(line) for line in (tmp_path / "with/metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["loss"] == pytest.approx(line["ce"] + line["extra"], rel=1e-4)
        assert line["gap"] >= 0
    torch.manual_seed(0)
    begun = torch.rand(11)
    states = _state(tmp_path / "with"), _state(tmp_path / "without")
    assert not torch.equal(states[0]["extra"]["module"]["scale"], begun)
    assert any(not torch.equal(states[0]["net"][key], states[1]["net"][key]) for key in states[0]["net"])
    # The network that is saved is the average, and so are the weights that go with it.
    kept = load_file(tmp_path / "with/extra.safetensors")
    torch.testing.assert_close(kept["scale"], states[0]["extra"]["average"]["scale"])
    assert not (tmp_path / "without/extra.safetensors").exists()


def test_weight_nothing_changes_nothing(train_settings: Make, tmp_path: Path) -> None:
    class_path = f"{HERE}:Mirrored"
    train(train_settings(extra_loss=class_path, extra_options={"weight": 0.0}), tmp_path / "zero")
    # The second pass moves batch-norm statistics, which evaluation alone reads; weights see the first one's gradients.
    train(train_settings(), tmp_path / "none")
    first, second = _state(tmp_path / "zero")["net"], _state(tmp_path / "none")["net"]
    names = [key for key in first if key.endswith(("weight", "bias"))]
    assert names and set(first) == set(second)


def test_resumed_run_gives_the_same_bytes(
    train_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = train_settings(extra_loss=f"{HERE}:Mirrored", epochs=3, iterations_per_epoch=4)
    train(settings, tmp_path / "whole")
    close = Run._close_epoch

    def interrupt(self: Run, epoch: int, figures: dict[str, Any]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        close(self, epoch, figures)

    monkeypatch.setattr(Run, "_close_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "parts")
    monkeypatch.undo()
    train(settings, tmp_path / "parts", resume=True)
    for part in ("last.edgeseg", "extra.safetensors"):
        assert (tmp_path / "whole" / part).read_bytes() == (tmp_path / "parts" / part).read_bytes()


def test_extra_weights_go_on_from_another_run(train_settings: Make, tmp_path: Path) -> None:
    own = {"extra_loss": f"{HERE}:Mirrored", "ema_decay": 0.0}
    train(train_settings(**own), tmp_path / "first")
    weights = tmp_path / "first/extra.safetensors"
    still = {"optimizer": train_settings().optimizer.__class__(learning_rate=1e-12, weight_decay=0.0)}
    train(train_settings(**own, **still, extra_init=weights), tmp_path / "second")
    torch.testing.assert_close(load_file(tmp_path / "second/extra.safetensors"), load_file(weights))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Nowhere", {}, "extra_loss .* cannot be imported"),
        ("Mirrored", {"wieght": 1}, "cannot be made with extra_options .*wieght"),
        ("NoLoss", {}, "made a NoLoss, not an ExtraLoss"),
        ("Silent", {}, "must return the term loss"),
    ],
)
def test_losses_that_cannot_be_used(
    train_settings: Make, tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(train_settings(extra_loss=f"{HERE}:{name}", extra_options=options), tmp_path / "run")


def test_weights_that_do_not_fit_are_refused(train_settings: Make, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not the weights of this Mirrored"):
        train(train_settings(extra_loss=f"{HERE}:Mirrored", extra_init=tmp_path / "broken"), tmp_path / "run")


@pytest.mark.parametrize(("samples", "iterations"), [(7, 5), (7, 1), (2, 4)])
def test_epochs_of_a_given_length_go_round_the_samples(samples: int, iterations: int) -> None:
    batches = EpochBatches(samples, 3, seed=0, iterations=iterations)
    drawn = [key for batch in batches for key in batch]
    size = min(3, samples)
    assert len(batches) == iterations and len(drawn) == iterations * size
    for start in range(0, len(drawn) - samples + 1, samples):
        assert sorted(index for _, index in drawn[start : start + samples]) == list(range(samples))
    assert len(set(drawn)) == len(drawn)  # no view of a sample twice
    batches.epoch = 1
    assert not set(drawn) & {key for batch in batches for key in batch}
