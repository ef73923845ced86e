"""The oracle: the only place where a label of Q is read, and what its answers say of the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.active.answers import NOT_ASKED
from edgeseg.active.choices import Choice
from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.errors import TrainingError

Labels = NDArray[np.uint8]


def answer(label: Labels, before: Labels | None, choices: Sequence[Choice]) -> Labels:
    """Adds the answers to some choices of one frame to what was answered of it before.

    Args:
        label: (H, W) uint8, the ground truth.
        before: (H, W) uint8, earlier answers, ``NOT_ASKED`` elsewhere; None for none.
        choices: What is asked for.

    Returns:
        (H, W) uint8: train ids, 255 where what was asked for belongs to no class, ``NOT_ASKED``.

    Raises:
        TrainingError: A pixel is asked for twice, or lies outside of the frame.
    """
    answers = np.full(label.shape, NOT_ASKED, np.uint8) if before is None else before.copy()
    flat, truth = answers.reshape(-1), label.reshape(-1)
    for choice in choices:
        pixels = choice.pixels
        if not len(pixels) or pixels[0] < 0 or pixels[-1] >= flat.size or (np.diff(pixels) <= 0).any():
            raise TrainingError(f"frame {choice.frame} of Q: a choice needs rising positions within {label.shape}")
        if (flat[pixels] != NOT_ASKED).any():
            raise TrainingError(
                f"frame {choice.frame} of Q: pixels are asked for that were answered before; the strategy must leave "
                "out what the pool says was asked"
            )
        flat[pixels] = truth[pixels] if choice.answer == "pixels" else dominant(truth[pixels])
    return answers


def dominant(truth: Labels) -> np.uint8:
    """The class that most of some pixels (P,) belong to; 255 where most belong to none."""
    return np.uint8(np.bincount(truth, minlength=IGNORE_INDEX + 1).argmax())


@dataclass
class Tally:
    """What is told of a round's answers, once they are given.

    Attributes:
        asked: Pixels asked for.
        void: Of these, pixels that belong to no class.
        wrong: Of these, pixels that the model had wrong.
        frame_pixels, frame_wrong: Labeled pixels of the asked frames, and those that the model had wrong.
        frame_size: All pixels of these frames.
        classes: Train id → pixels answered.
    """

    asked: int = 0
    void: int = 0
    wrong: int = 0
    frame_pixels: int = 0
    frame_wrong: int = 0
    frame_size: int = 0
    classes: Counter[int] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.classes = self.classes or Counter()

    def add(self, label: Labels, predicted: Labels, choices: Sequence[Choice]) -> None:
        """Counts one frame: its ground truth, what the model said (both (H, W)), and what was asked for."""
        known = label != IGNORE_INDEX
        wrong = known & (label != predicted)
        pixels = np.concatenate([choice.pixels for choice in choices])
        self.asked += len(pixels)
        self.void += int((~known.reshape(-1)[pixels]).sum())
        self.wrong += int(wrong.reshape(-1)[pixels].sum())
        self.frame_size += label.size
        self.frame_pixels += int(known.sum())
        self.frame_wrong += int(wrong.sum())
        self.classes.update(
            {int(i): int(n) for i, n in enumerate(np.bincount(label.reshape(-1)[pixels], minlength=256)[:254]) if n}
        )

    def to_dict(self, class_map: ClassMap) -> dict[str, Any]:
        """Plain figures.

        ``wrong_share`` is that of the asked pixels with a class that the model had wrong. A model that is right nearly
        everywhere leaves few to find: ``wrong_cap`` is the most that so many pixels of these frames could reach, and
        ``wrong_of_cap`` the share of it that was reached.
        """
        counted = self.asked - self.void
        share = self.wrong / counted if counted else None
        cap = min(1.0, self.frame_wrong / counted) if counted else None
        return {
            "void_share": self.void / self.asked if self.asked else None,
            "wrong_share": share,
            "wrong_cap": cap,
            "wrong_of_cap": share / cap if share is not None and cap else None,
            "error_rate": self.frame_wrong / self.frame_pixels if self.frame_pixels else None,
            "classes": {row.name: self.classes.get(i, 0) for i, row in enumerate(class_map.classes)},
        }
