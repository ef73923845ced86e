"""Settings of learning from unlabeled frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgeseg.config import OFF_WORD, STRICT
from edgeseg.errors import ConfigError
from edgeseg.students.groups import AugmentSettings, require_within


@dataclass(frozen=True)
class SemiSettings:
    """Learning from unlabeled frames; each part can be turned off alone.

    Attributes:
        mean_teacher: Whether the moving average of the student gives the pseudo-labels; otherwise the student itself
            does, in evaluation mode.
        confidence_weighting: Whether a pixel counts by the teacher's confidence in it and in its image; otherwise
            every pixel counts the same.
        classmix: ``plain`` pastes half of the classes of one unlabeled image, by its pseudo-labels, on the next.
            ``balanced`` pastes rare and common classes of a labeled image that shows a rare one, by its true labels.
        class_weights: Whether the classes weigh in the loss on pseudo-labels what ``loss.class_weighting`` has them
            weigh in that on labels; otherwise they weigh the same, and rare classes are unlearned again.
        threshold: Confidence from which a pixel is sure; the share of sure pixels weighs an image.
        weight: Of the loss on pseudo-labels beside the loss on labels; 0 leaves only cached soft labels to learn from.
        known_labels: Whether an unlabeled frame that is among the labeled ones too, by its sample id, keeps the labels
            that it has there, with confidence 1: of frames that are labeled in parts, the teacher labels the rest.
        cached_labels: Whether a distillation's cache also teaches those unlabeled frames that it holds.
        start_epoch: Epochs on labels alone before; None is a tenth of all.
        ema_decay: Limit of the teacher's decay, in [0, 1).
        batch_size: Unlabeled samples an iteration; None is as many as labeled ones.
        tail_classes: Names of the rare classes; () is the half of the classes with the fewest labeled pixels.
        pasted_tail, pasted_head: Classes that ``balanced`` pastes of either kind, as far as the image shows them.
        augment: View of the unlabeled frames; None is that of the labeled ones. The teacher sees the same part of
            the frame, neither mirrored nor with changed colours.
    """

    __pydantic_config__ = STRICT

    mean_teacher: bool = True
    confidence_weighting: bool = True
    classmix: Annotated[Literal["off", "plain", "balanced"], OFF_WORD] = "balanced"
    class_weights: bool = True
    threshold: float = 0.97
    weight: float = 1.0
    known_labels: bool = False
    cached_labels: bool = True
    start_epoch: int | None = None
    ema_decay: float = 0.99
    batch_size: int | None = None
    tail_classes: tuple[str, ...] = ()
    pasted_tail: int = 2
    pasted_head: int = 3
    augment: AugmentSettings | None = None

    def __post_init__(self) -> None:
        require_within("semi.threshold", self.threshold, 0, 1)
        require_within("semi.weight", self.weight, 0, 1000)
        require_within("semi.ema_decay", self.ema_decay, 0, 0.99999)
        require_within("semi.pasted_tail", self.pasted_tail, 1, 255)
        require_within("semi.pasted_head", self.pasted_head, 0, 255)
        if self.start_epoch is not None:
            require_within("semi.start_epoch", self.start_epoch, 0, 10**6)
        if self.batch_size is not None:
            require_within("semi.batch_size", self.batch_size, 1, 10**6)

    def first_epoch(self, epochs: int) -> int:
        """Epoch, counted from 0, from which unlabeled frames are used in a training of so many.

        Raises:
            ConfigError: It would never come.
        """
        if self.start_epoch is None:
            return epochs // 10
        if self.start_epoch >= epochs:
            raise ConfigError(
                f"semi.start_epoch is {self.start_epoch}, but there are only {epochs} epochs, so that no unlabeled "
                "frame would be used; lower it"
            )
        return self.start_epoch

    def samples(self, labeled: int, processes: int = 1) -> int:
        """Unlabeled samples an iteration beside ``labeled`` labeled ones, of all processes that train together.

        Raises:
            ConfigError: One alone has no other to be mixed with.
        """
        count = self.batch_size or labeled
        if self.classmix == "plain" and self.weight and count < 2 * processes:
            raise ConfigError(
                "semi.classmix=plain mixes the unlabeled images of a batch, but a batch has one; set semi.batch_size "
                f"to {2 * processes} or more, or semi.classmix to balanced or off"
            )
        return count
