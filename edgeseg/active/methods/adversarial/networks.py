"""The autoencoder of small frames, and the critic of its latents."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

FRAME = (64, 96)
"""Height and width of the frames that are encoded, in pixels."""
CHANNELS = (32, 64, 128, 128)
_DEEPEST = (FRAME[0] >> len(CHANNELS), FRAME[1] >> len(CHANNELS))


class FrameAutoencoder(nn.Module):
    """A variational autoencoder of frames of 64×96 pixels; a fifteenth of the authors' weights.

    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; layers as in the code of VAAL.

    Args:
        latents: K.
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        inside = CHANNELS[-1] * _DEEPEST[0] * _DEEPEST[1]
        self.encoder = nn.Sequential(*(_halving(a, b) for a, b in pairwise((3, *CHANNELS))), nn.Flatten())
        self.mean, self.log_variance = nn.Linear(inside, latents), nn.Linear(inside, latents)
        self.spread_out = nn.Sequential(nn.Linear(latents, inside), nn.Unflatten(1, (CHANNELS[-1], *_DEEPEST)))
        upwards = CHANNELS[::-1]
        self.decoder = nn.Sequential(
            *(_doubling(a, b) for a, b in pairwise(upwards)),
            nn.ConvTranspose2d(CHANNELS[0], 3, 4, 2, 1),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ², (N, K) each, of images (N, 3, 64, 96)."""
        inside = self.encoder(images)
        return self.mean(inside), self.log_variance(inside)

    def forward(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (N, 3, 64, 96) from latents drawn around μ, then μ and log σ²."""
        mean, log_variance = self.encode(images)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        return self.decode(mean + (log_variance / 2).exp() * noise), mean, log_variance

    def decode(self, latents: Tensor) -> Tensor:
        """Images (N, 3, 64, 96) of latents (N, K)."""
        images: Tensor = self.decoder(self.spread_out(latents))
        return images


class Critic(nn.Sequential):
    """D: logits (N, 1) that latents (N, K) are those of a labeled frame."""

    def __init__(self, latents: int, width: int = 128) -> None:
        super().__init__(nn.Linear(latents, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
