"""Autoencoder and critic: on frames that can be told apart, they are; what scores them depends on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg.active.methods.adversarial.frames import SmallFrames
from edgeseg.active.methods.adversarial.losses import critic_loss
from edgeseg.active.methods.adversarial.networks import Critic, FrameAutoencoder
from edgeseg.active.methods.adversarial.settings import VaalSettings
from edgeseg.active.methods.adversarial.training import AdversarialFigures, AdversarialPair
from edgeseg.errors import ConfigError, TrainingError


def _frames(count: int = 24) -> SmallFrames:
    rng = np.random.default_rng(0)
    bright = rng.permutation(np.linspace(20, 235, count))
    images = [np.clip(rng.normal(level, 8, (64, 96, 3)), 0, 255).astype(np.uint8) for level in bright]
    return SmallFrames.of(images)


def _pair(frames: SmallFrames, iterations: int = 12, seed: int = 3) -> AdversarialPair:
    settings = VaalSettings(iterations=iterations, batch_size=4, learning_rate=2e-3, log_every=iterations)
    by_light = frames.pixels.float().mean((1, 2, 3)).argsort()
    return AdversarialPair(frames, by_light[:12], by_light[12:], settings, seed)


def test_networks_have_the_stated_shapes_and_size() -> None:
    net, critic = FrameAutoencoder(32), Critic(32)
    rebuilt, mean, log_variance = net(torch.randn(2, 3, 64, 96), torch.Generator().manual_seed(0))
    assert rebuilt.shape == (2, 3, 64, 96) and mean.shape == log_variance.shape == (2, 32)
    assert critic(mean).shape == (2, 1)
    weights = sum(p.numel() for module in (net, critic) for p in module.parameters())
    assert weights == pytest.approx(1.2e6, rel=0.05)


def test_frames_are_standardised_so_that_the_mean_colour_alone_has_error_one() -> None:
    frames = _frames()
    images = frames.images(torch.arange(len(frames)))
    assert images.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-3)
    assert images.square().mean((0, 2, 3)).tolist() == pytest.approx([1] * 3, abs=1e-3)


def test_frames_of_one_colour_are_no_division_by_zero() -> None:
    frames = SmallFrames.of([np.full((10, 12, 3), 90, np.uint8)] * 2)
    assert frames.images(torch.arange(2)).abs().max() < 1e-3


def test_critic_separates_separable_latents() -> None:
    chance = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    critic = Critic(8)
    steps = torch.optim.Adam(critic.parameters(), 5e-3)
    direction = torch.ones(8)
    for _ in range(60):
        noise = torch.randn(2, 32, 8, generator=chance)
        loss = critic_loss(critic(noise[0] + 2 * direction), critic(noise[1] - 2 * direction))
        steps.zero_grad()
        loss.backward()
        steps.step()
    fresh = torch.randn(2, 200, 8, generator=chance)
    assert (critic(fresh[0] + 2 * direction) > 0).all()
    assert (critic(fresh[1] - 2 * direction) < 0).all()


@pytest.fixture(scope="module")
def trained() -> tuple[AdversarialPair, list[AdversarialFigures]]:
    pair, told = _pair(_frames()), list[AdversarialFigures]()
    pair.train(told.append)
    return pair, told


def test_training_tells_error_and_accuracy_and_learns_to_rebuild(
    trained: tuple[AdversarialPair, list[AdversarialFigures]],
) -> None:
    pair, told = trained
    assert [figures.iteration for figures in told] == [12]
    assert told[0].reconstruction_error < 0.8
    right = (pair.scores(pair.labeled) > 0).mean(), (pair.scores(pair.unlabeled) <= 0).mean()
    assert told[0].critic_accuracy == pytest.approx(np.mean(right))


def test_a_frames_score_does_not_depend_on_its_company(
    trained: tuple[AdversarialPair, list[AdversarialFigures]],
) -> None:
    pair, _ = trained
    pair.autoencoder.train()  # as a training step leaves it
    before = {name: value.clone() for name, value in pair.autoencoder.named_buffers()}
    together = pair.scores(torch.arange(24))
    alone = np.concatenate([pair.scores(torch.tensor([i])) for i in range(24)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in pair.autoencoder.named_buffers())


def test_equal_seeds_train_equal_networks_and_leave_the_global_chance_alone() -> None:
    frames = _frames()
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    first, second = (_pair(frames, iterations=1) for _ in range(2))
    for pair in (first, second):
        pair.train()
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first.scores(torch.arange(24)), second.scores(torch.arange(24)))
    assert (_pair(frames, 1, seed=4).scores(torch.arange(24)) != second.scores(torch.arange(24))).any()


def test_a_training_that_bursts_says_which_setting_to_lower() -> None:
    frames = _frames(6)
    settings = VaalSettings(iterations=6, batch_size=4, learning_rate=1.0, kl_weight=1000.0, log_every=1)
    pair = AdversarialPair(frames, torch.arange(3), torch.arange(3, 6), settings, 0)
    torch.nn.init.constant_(pair.autoencoder.mean.weight, float("nan"))
    with pytest.raises(TrainingError, match=r"lower method.vaal.learning_rate \(it is 1.0\)"):
        pair.train()


def test_frames_of_one_kind_alone_are_refused() -> None:
    with pytest.raises(TrainingError, match="got 0 and 6; start with some labeled frames"):
        AdversarialPair(_frames(6), torch.arange(0), torch.arange(6), VaalSettings(), 0)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match=r"vaal.batch_size must be at least 2 and at most 4096, got 1"):
        VaalSettings(batch_size=1)
