"""What every method of active learning is: what it asks for, how its network is trained, what it is and costs.

A method is one file with one class. It may

- add a loss, with weights of its own, to the training step: ``training`` names an ``ExtraLoss`` of
  ``edgeseg.students`` in ``extra_loss`` and ``extra_options`` of the training's settings; its trained weights are
  ``Round.extra_weights``;
- train a network of its own on labeled and unlabeled frames: inside ``select``, in ``Round.folder``;
- be prepared before the first round, with labels outside of the budget, which are counted: ``prepare``;
- ask for whole frames, regions or single pixels, frame by frame or over all frames: ``select`` yields ``Choice`` after
  ``Choice``, and the loop takes them until the next would exceed the budget;
- tell figures, such as a critic's accuracy: ``Round.tell``; ``spread.Spread`` ends a run where they say nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from edgeseg.active.choices import Budget, Choice
from edgeseg.active.pool import Outside, Pool
from edgeseg.active.scoring.remote import RemoteScores
from edgeseg.active.scoring.score import view_of
from edgeseg.datasets import Dataset
from edgeseg.deploy.runners.base import Runner
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.students import TrainSettings

Rest = Literal["prediction", "ignore"]
"""Label of a pixel that was not asked for: what the model says of it, or none."""


@dataclass(frozen=True)
class About:
    """What ``edgeseg active strategies`` tells of a method.

    Attributes:
        selects: What it asks for, such as ``regions, frame by frame``.
        needs: What it needs beside a trained network.
        costs: What it costs beyond random selection.
        source: Paper or author.
        use_when: When to take it.
    """

    selects: str
    needs: str
    costs: str
    source: str
    use_when: str


@dataclass(frozen=True)
class MethodOptions:
    """What a method is told when it is made.

    Attributes:
        share: Share of a frame's pixels that is asked for, where a method goes frame by frame, in (0, 1].
        seed: Of whatever is random.
        superpixel_px: Nominal pixels of a region.
        own: The method's own options, by name (``--set method.STRATEGY.NAME=VALUE``).
    """

    share: float = 0.1
    seed: int = 0
    superpixel_px: int = SUPERPIXEL_PX
    own: Mapping[str, Any] = field(default_factory=dict)

    def take(self, **defaults: Any) -> dict[str, Any]:
        """The method's own options, with defaults for those not given.

        Raises:
            ConfigError: An option is given that the method does not have.
        """
        if unknown := sorted(self.own.keys() - defaults.keys()):
            known = ", ".join(defaults) or "none"
            raise ConfigError(f"method.{', method.'.join(unknown)}: no such option; the strategy's own are: {known}")
        return {**defaults, **self.own}


@dataclass(frozen=True)
class Start:
    """What a method is given before the first round.

    Attributes:
        initial: P, the frames labeled at the start, with their labels.
        pool: Q.
        outside: Gives labels of Q outside of the budget, and counts them.
        training: Settings of a round's training.
        checkpoint: The model trained on P.
        folder: The method's own, kept; ``prepare`` is not called again once it has returned.
        figures: What is told in the results.
    """

    initial: Dataset
    pool: Pool
    outside: Outside
    training: TrainSettings
    checkpoint: Path
    folder: Path
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Round:
    """What a method is given to select with.

    Attributes:
        number: From 1.
        pool: Q: its images, and the answers so far.
        labeled: P and the answered frames with what is known of them, 255 where nothing was asked.
        budget: Most that may be asked for in this round.
        group: Frames of a round, for methods that go frame by frame.
        checkpoint: The model trained last.
        extra_weights: Weights (safetensors) of the training's extra loss, None where it has none.
        runner: The model, giving what ``Method.needs`` names, logits always.
        training: Settings of a round's training.
        committee: Further models trained on P, for methods that let several vote; see ``Method.members``.
        prepared: Folder that ``prepare`` filled.
        folder: The method's own in this round; what is in it is kept where the run goes on after being killed.
        superpixel_px: Nominal pixels of a region.
        remote: Where a cluster scores frames; None where this process does.
        figures: What is told in the results.
    """

    number: int
    pool: Pool
    labeled: Dataset
    budget: Budget
    group: int
    checkpoint: Path
    extra_weights: Path | None
    runner: Runner
    training: TrainSettings
    committee: tuple[Path, ...]
    prepared: Path
    folder: Path
    superpixel_px: int = SUPERPIXEL_PX
    remote: RemoteScores | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def tell(self, **figures: float) -> None:
        """Notes figures for the results.

        Raises:
            TrainingError: One is not finite.
        """
        for name, value in figures.items():
            if not math.isfinite(value):
                raise TrainingError(f"round {self.number}: {name} is {value}; lower the method's learning rate")
        self.figures.update(figures)

    def view(self, index: int) -> FrameView:
        """A frame of the pool with what the model says of it; pixels asked for before count as not wanted."""
        return view_of(self.pool, self.runner, self.superpixel_px, index)


class Method(ABC):
    """One method. A subclass names ``about``; what else it overrides is what is special about it.

    Attributes:
        about: What is told of it.
        title: What tables of results call it, where that is more than its name.
        needs: Outputs that it reads of the runner, beside the base ones and ``logits``.
        members: Whether it wants ``Round.committee``.
        rest: Label of pixels that were not asked for, where the run does not say; None for the run's default.
        semi: Whether its trainings also learn from all frames of Q without their labels.
        unbounded: Whether the budget does not bind it, as for full supervision.
    """

    about: ClassVar[About]
    title: ClassVar[str] = ""
    needs: tuple[str, ...] = ()
    members: bool = False
    rest: Rest | None = None
    semi: bool = False
    unbounded: bool = False

    def __init__(self, options: MethodOptions) -> None:
        self.options = options

    def training(self, settings: TrainSettings) -> TrainSettings:
        """Settings of the rounds' trainings: the run's, or with a loss or semi-supervision of the method."""
        return settings

    def prepare(self, start: Start) -> None:  # noqa: B027
        """Called once before the first round; most methods have nothing to prepare."""

    @abstractmethod
    def select(self, state: Round) -> Iterable[Choice]:
        """What to ask for, the most wanted first; the loop takes of it what the budget allows.

        No pixel may be asked for twice. A method that is stopped by the budget is not drawn from any further.
        """

    def close(self) -> None:  # noqa: B027
        """Frees what the method holds."""


def ranked(scored: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """(frame, value) by falling value; equal ones by frame."""
    return iter(sorted(scored, key=lambda pair: (-pair[1], pair[0])))
