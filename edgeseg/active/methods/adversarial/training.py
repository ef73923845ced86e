"""The training of autoencoder and critic against each other, and what they say of frames afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgeseg.active.methods.adversarial.frames import SmallFrames
from edgeseg.active.methods.adversarial.losses import (
    autoencoder_loss,
    balanced_accuracy,
    critic_loss,
    fooling_loss,
)
from edgeseg.active.methods.adversarial.networks import Critic, FrameAutoencoder
from edgeseg.active.methods.adversarial.settings import VaalSettings
from edgeseg.errors import TrainingError

SCORED_AT_ONCE = 64


@dataclass(frozen=True)
class AdversarialFigures:
    """How far a training is.

    Attributes:
        iteration: Counted from 1.
        reconstruction_error: Mean squared error of standardised pixels; at 1 the latents say nothing.
        critic_accuracy: Mean of the shares of labeled and unlabeled frames told right; 0.5 is guessing.
    """

    iteration: int
    reconstruction_error: float
    critic_accuracy: float


class AdversarialPair:
    """Autoencoder and critic, both new.

    Args:
        frames: All frames of the round.
        labeled: (L,) indices of frames with a label.
        unlabeled: (U,) indices of frames without.
        settings: See there.
        seed: Of initial weights, batches and latents.

    Raises:
        TrainingError: There is no labeled or no unlabeled frame.
    """

    def __init__(
        self, frames: SmallFrames, labeled: Tensor, unlabeled: Tensor, settings: VaalSettings, seed: int
    ) -> None:
        if not len(labeled) or not len(unlabeled):
            raise TrainingError(
                f"method vaal: needs labeled and unlabeled frames to tell apart, got {len(labeled)} and "
                f"{len(unlabeled)}; start with some labeled frames"
            )
        self.frames, self.labeled, self.unlabeled, self.settings = frames, labeled, unlabeled, settings
        self.chance = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.autoencoder, self.critic = FrameAutoencoder(settings.latents), Critic(settings.latents)
        self._autoencoder_steps = torch.optim.Adam(self.autoencoder.parameters(), settings.learning_rate)
        self._critic_steps = torch.optim.Adam(self.critic.parameters(), settings.learning_rate)

    def train(self, tell: Callable[[AdversarialFigures], None] = lambda figures: None) -> None:
        """Trains both.

        Args:
            tell: Given the figures over all frames, every ``log_every`` iterations and at the end.

        Raises:
            TrainingError: The reconstruction error is no number.
        """
        for iteration in range(1, self.settings.iterations + 1):
            self.autoencoder.train()
            self.critic.train()
            for _ in range(self.settings.vae_steps):
                labeled, unlabeled = self._batch(self.labeled), self._batch(self.unlabeled)
                self._train_autoencoder(labeled, unlabeled)
            self._train_critic(labeled, unlabeled)
            if iteration % self.settings.log_every == 0 or iteration == self.settings.iterations:
                tell(self._figures(iteration))

    @torch.inference_mode()
    def scores(self, indices: Tensor) -> NDArray[np.float32]:
        """The critic's logits (M,) for frames (M,), each by its own μ and in evaluation mode.

        In training mode batch norm would let a frame's score depend on the others that are scored with it.
        """
        self.autoencoder.eval()
        self.critic.eval()
        parts = [
            self.critic(self.autoencoder.encode(self.frames.images(i))[0]) for i in torch.split(indices, SCORED_AT_ONCE)
        ]
        return torch.cat(parts)[:, 0].numpy()

    def _batch(self, indices: Tensor) -> Tensor:
        drawn = torch.randint(len(indices), (self.settings.batch_size,), generator=self.chance)
        return self.frames.images(indices[drawn])

    def _train_autoencoder(self, labeled: Tensor, unlabeled: Tensor) -> None:
        loss, latents = torch.zeros(()), []
        for images in (labeled, unlabeled):
            reconstruction, mean, log_variance = self.autoencoder(images, self.chance)
            loss = loss + autoencoder_loss(images, reconstruction, mean, log_variance, self.settings.kl_weight)
            latents.append(self.critic(mean))
        loss = loss + self.settings.adversarial_weight * fooling_loss(*latents)
        self._autoencoder_steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._autoencoder_steps.step()

    def _train_critic(self, labeled: Tensor, unlabeled: Tensor) -> None:
        with torch.no_grad():
            means = [self.autoencoder.encode(images)[0] for images in (labeled, unlabeled)]
        loss = critic_loss(*(self.critic(mean) for mean in means))
        self._critic_steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._critic_steps.step()

    @torch.inference_mode()
    def _figures(self, iteration: int) -> AdversarialFigures:
        told = [torch.from_numpy(self.scores(indices)) for indices in (self.labeled, self.unlabeled)]
        total = 0.0
        for indices in torch.split(torch.arange(len(self.frames)), SCORED_AT_ONCE):
            images = self.frames.images(indices)
            rebuilt = self.autoencoder.decode(self.autoencoder.encode(images)[0])
            total += float(functional.mse_loss(rebuilt, images)) * len(images)
        error = total / len(self.frames)
        if not math.isfinite(error):
            raise TrainingError(
                f"method vaal: the reconstruction error is {error} after {iteration} iterations; lower "
                f"method.vaal.learning_rate (it is {self.settings.learning_rate})"
            )
        return AdversarialFigures(iteration, error, balanced_accuracy(told[0], told[1]))
