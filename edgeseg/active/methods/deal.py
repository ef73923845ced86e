"""DEAL: whole frames that a branch of the network, trained on where it errs, finds difficult."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Choice, frame_choice
from edgeseg.active.methods.base import About, Method, MethodOptions, Round, ranked
from edgeseg.active.methods.difficulty import (
    ATTENTION_SIZE,
    DifficultyBranch,
    difficulty_entropy,
    difficulty_loss,
    difficulty_score,
)
from edgeseg.active.methods.extra import with_loss
from edgeseg.active.methods.region_query import in_camera_pixels
from edgeseg.active.methods.spread import Spread
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, ModelError
from edgeseg.students import ExtraLoss, Step, TrainSettings
from edgeseg.students.extra_loss import load_weights
from edgeseg.students.run_folder import RunFolder

Score = Literal["mean", "entropy"]


class DifficultyLoss(ExtraLoss):
    """The branch under training: α · L_dif, told as ``difficulty_loss`` (unweighted) and ``gamma``.

    Args:
        num_classes: C.
        attention: Height and width at which class probabilities attend.
        detached: Whether the loss leaves the segmentation alone.
        weight: α.
    """

    def __init__(
        self,
        num_classes: int,
        attention: tuple[int, int] = ATTENTION_SIZE,
        detached: bool = False,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.branch = DifficultyBranch(num_classes, (attention[0], attention[1]), detached)
        self.weight = weight

    def forward(self, step: Step) -> dict[str, torch.Tensor]:
        """Judges the main head's logits and compares with its errors."""
        loss = difficulty_loss(self.branch(step.logits), step.logits, step.labels)
        return {"loss": self.weight * loss, "difficulty_loss": loss, "gamma": self.branch.attention.gamma}


@dataclass(frozen=True)
class DealOptions:
    """DEAL's own options.

    Attributes:
        score: ``mean`` of the difficulty (DS), or the ``entropy`` of its levels' areas (DE).
        levels: Number K of levels of DE; the authors take 8 for CamVid, 8 to 10 for Cityscapes.
        fixed_levels: Whether DE's levels span 0 to 1 instead of each image's own range.
        candidates: Share of the untouched frames that is drawn before scoring; a guard against near-duplicates.
        attention: Height and width at which class probabilities attend; the authors take 60×80 for CamVid.
        detached: Whether the branch's loss leaves the segmentation alone; the authors' does not.
        weight: α of the branch's loss.
    """

    score: Score = "mean"
    levels: int = 8
    fixed_levels: bool = False
    candidates: float = 0.5
    attention: tuple[int, int] = ATTENTION_SIZE
    detached: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ConfigError(f"levels must be 2 or more, got {self.levels}")
        if not 0 < self.candidates <= 1:
            raise ConfigError(f"candidates must be above 0 and at most 1, got {self.candidates}")
        if min(self.attention) < 1:
            raise ConfigError(f"attention must be height and width, got {list(self.attention)}")
        if not self.weight > 0:
            raise ConfigError(f"weight must be above 0, got {self.weight}")


class Deal(Method):
    """The frames of highest difficulty among a random half of the untouched ones.

    The branch is trained along with the network by ``DifficultyLoss``. A branch that finds everything equally
    difficult ends the run.
    """

    score: ClassVar[Score] = "mean"
    about: ClassVar[About] = About(
        "whole frames, by mean difficulty (DS)",
        "a difficulty branch of C + 2 weights in the training",
        "1.1 times the training; scores half of the frames",
        "Xie et al., ACCV 2020",
        "labelers take whole frames, and errors cluster in some of them",
    )

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        own = options.take(**{**vars(DealOptions()), "score": self.score})
        self.own = config.resolve(DealOptions, options=own)

    def training(self, settings: TrainSettings) -> TrainSettings:
        """With the branch's loss."""
        own = self.own
        return with_loss(
            settings, DifficultyLoss, attention=list(own.attention), detached=own.detached, weight=own.weight
        )

    def select(self, state: Round) -> Iterator[Choice]:
        """Whole frames, the most difficult first."""
        branch, spread = self._branch(state), Spread("deal", "difficulty")
        scored = []
        for index in self.candidates(state):
            difficulty = difficulty_map(branch, state.view(index))
            spread.add(difficulty)
            scored.append((index, self.value(difficulty)))
        spread.require()
        state.tell(difficulty_low=spread.low, difficulty_high=spread.high, difficulty_loss=_last_loss(state))
        for index, value in ranked(scored):
            yield frame_choice(index, np.asarray(state.view(index).class_map), value)

    def candidates(self, state: Round) -> list[int]:
        """The untouched frames that are scored, at least as many as a round asks for."""
        untouched = state.pool.untouched()
        count = max(round(self.own.candidates * len(untouched)), min(state.group, len(untouched)))
        order = np.random.default_rng([self.options.seed, state.number]).permutation(len(untouched))
        return sorted(untouched[place] for place in order[:count])

    def value(self, difficulty: NDArray[np.float32]) -> float:
        """DS or DE of a difficulty map."""
        if self.own.score == "mean":
            return difficulty_score(difficulty)
        return difficulty_entropy(difficulty, self.own.levels, self.own.fixed_levels)

    def _branch(self, state: Round) -> DifficultyBranch:
        if state.extra_weights is None:
            raise ModelError(f"{state.checkpoint}: has no difficulty branch beside it; train it by the strategy deal")
        loss = DifficultyLoss(state.pool.class_map.num_classes, self.own.attention)
        load_weights(loss, state.extra_weights)
        return loss.branch.eval()


class DealEntropy(Deal):
    """As ``Deal``, by the entropy of the levels of difficulty (DE)."""

    score: ClassVar[Score] = "entropy"
    about: ClassVar[About] = replace(
        Deal.about, selects="whole frames, by the entropy of their levels of difficulty (DE)"
    )


@torch.inference_mode()
def difficulty_map(branch: DifficultyBranch, view: FrameView) -> NDArray[np.float32]:
    """Difficulty m of each camera pixel (H, W), 0 to 1."""
    logits = torch.from_numpy(view.outputs["logits"])[None]
    return in_camera_pixels(view, branch(logits)[0].sigmoid().numpy())


def _last_loss(state: Round) -> float:
    """L_dif of the last epoch of the training that gave the model."""
    lines = RunFolder(state.checkpoint.parent).metrics.read_text().splitlines()
    return float(json.loads(lines[-1])["difficulty_loss"])
