"""Settings of VAAL."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.config import STRICT
from edgeseg.students.groups import require_within


@dataclass(frozen=True)
class VaalSettings:
    """How autoencoder and critic are trained, afresh in every round.

    Attributes:
        iterations: Each of ``vae_steps`` steps of the autoencoder and one of the critic.
        batch_size: Frames of either kind in a step.
        learning_rate: Of Adam, for both.
        latents: Numbers that a frame is described by.
        kl_weight: β, of the divergence from the standard normal distribution.
        adversarial_weight: λ, of what the critic says of the encoder.
        vae_steps: Steps of the autoencoder before each of the critic.
        log_every: Iterations between two lines of the log.
    """

    __pydantic_config__ = STRICT

    iterations: int = 2000
    batch_size: int = 16
    learning_rate: float = 5e-4
    latents: int = 32
    kl_weight: float = 1.0
    adversarial_weight: float = 1.0
    vae_steps: int = 2
    log_every: int = 100

    def __post_init__(self) -> None:
        require_within("method.vaal.iterations", self.iterations, 1, 10**6)
        require_within("method.vaal.batch_size", self.batch_size, 2, 4096)
        require_within("method.vaal.learning_rate", self.learning_rate, 1e-7, 1)
        require_within("method.vaal.latents", self.latents, 1, 4096)
        require_within("method.vaal.kl_weight", self.kl_weight, 0, 1000)
        require_within("method.vaal.adversarial_weight", self.adversarial_weight, 0, 1000)
        require_within("method.vaal.vae_steps", self.vae_steps, 1, 100)
        require_within("method.vaal.log_every", self.log_every, 1, 10**6)
