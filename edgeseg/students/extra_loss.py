"""A further loss inside the training step, which may look at more images and train weights of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edgeseg.errors import ConfigError, ModelError
from edgeseg.plugins import import_callable
from edgeseg.students.distribution import ALONE, Distribution
from edgeseg.students.ema import MovingAverage
from edgeseg.students.reduction import average_over_processes

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """What a loss sees of one training step.

    Attributes:
        images: (N, 3, H, W) float32, normalised.
        labels: (N, H, W) uint8 train ids, 255 ignored.
        logits: (N, C, H, W) of the network's main head on ``images``; gradients flow through it.
        forward: Runs the network in training mode on other images (M, 3, H, W): main head's logits (M, C, H, W).
        cross_entropy: The training's own loss on labels: logits and labels as above → () float32.
        progress: Share of the training that is done, in [0, 1).
        sample_ids: N texts.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    forward: Callable[[Tensor], Tensor]
    cross_entropy: Callable[[Tensor, Tensor], Tensor]
    progress: float
    sample_ids: tuple[str, ...]


class ExtraLoss(nn.Module, ABC):
    """A loss that is added to the training's own; its parameters are trained along and kept with the run.

    Made with ``num_classes`` and the options of ``extra_options`` as keyword arguments.
    """

    @abstractmethod
    def forward(self, step: Step) -> Terms:
        """Computes the terms.

        Returns:
            () float32 each: ``loss``, which is added as it is, and whatever else is to be told in the metrics,
            by names that the training does not use itself.
        """


class TrainedExtra:
    """An ``ExtraLoss`` under training.

    Args:
        module: The loss.
        ema_decay: Of the average of its weights, 0 for none; the one of the network whose average is saved.
        together: The processes that share the batches.
    """

    def __init__(self, module: ExtraLoss, ema_decay: float, together: Distribution = ALONE) -> None:
        self.module, self.together = module, together
        averaged = ema_decay and any(True for _ in module.parameters())
        self.average = MovingAverage(module, ema_decay) if averaged else None

    @property
    def result(self) -> nn.Module:
        """The module to save, which goes with the saved network."""
        return self.average.net if self.average else self.module

    def add(self, terms: Terms, step: Step) -> Terms:
        """The training's terms with the loss added and the further figures beside them."""
        own = self.module(step)
        taken = sorted((own.keys() & terms.keys()) - {"loss"})
        if "loss" not in own or taken:
            raise ConfigError(
                f"extra_loss {type(self.module).__name__} must return the term loss, and none of the training's own "
                f"names; it returned {', '.join(own)}"
            )
        return {**terms, **own, "loss": terms["loss"] + own["loss"], "extra": own["loss"].detach()}

    def share_gradients(self) -> None:
        """Averages the gradients over the processes, as the network's own are."""
        if self.together.world == 1:
            return
        for parameter in self.module.parameters():
            if parameter.grad is not None:
                parameter.grad.copy_(average_over_processes(parameter.grad))

    def update(self, iteration: int) -> None:
        """Takes the weights into their average after an iteration, counted from 0 over the whole training."""
        if self.average:
            self.average.update(iteration)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Everything that the rest of a run depends on."""
        average = {"average": self.average.net.state_dict()} if self.average else {}
        return {"module": self.module.state_dict(), **average}

    def load_state_dict(self, state: Mapping[str, dict[str, Tensor]]) -> None:
        """Takes up what ``state_dict`` gave."""
        self.module.load_state_dict(state["module"])
        if self.average:
            self.average.net.load_state_dict(state["average"])


def build(name: str, num_classes: int, options: Mapping[str, Any], seed: int) -> ExtraLoss:
    """Makes an extra loss with weights from a seed.

    Args:
        name: ``package.module:Class`` of an ``ExtraLoss``.
        num_classes: C.
        options: Its further keyword arguments.
        seed: Of the training.

    Raises:
        ConfigError: It cannot be imported, has no such option, or is no ``ExtraLoss``.
    """
    kind = import_callable(name, "extra_loss", "package.module:Class", "a class of losses")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            made = kind(num_classes=num_classes, **options)
        except TypeError as error:
            raise ConfigError(
                f"extra_loss {name} cannot be made with extra_options {dict(options)} ({error})"
            ) from None
    if not isinstance(made, ExtraLoss):
        raise ConfigError(f"extra_loss {name} made a {type(made).__name__}, not an ExtraLoss of edgeseg.students")
    return made


def load_weights(module: nn.Module, path: Path) -> None:
    """Puts weights that a run left in ``extra.safetensors`` into a module.

    Raises:
        ModelError: The file cannot be read, or does not fit.
    """
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{path}: not the weights of this {type(module).__name__} ({error}); train it again") from None
