"""Running sums of a comparison; one frame of each model at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.parity.view import FrameSays, rank_correlation, top_cells
from edgeseg.metrics import ConfusionMatrix


@dataclass
class Tally:
    """Figures over the frames so far.

    Attributes:
        classes: Number of classes C.
        worst: Position of the frame whose classes agree least, and that share.
    """

    classes: int
    worst: tuple[int, float] = (0, 2.0)
    frames: int = 0
    _max_error: float = 0.0
    _errors: list[float] = field(default_factory=list)
    _magnitudes: list[float] = field(default_factory=list)
    _agreements: list[float] = field(default_factory=list)
    _overlaps: list[float] = field(default_factory=list)
    _entropies: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.confusions = ConfusionMatrix(self.classes), ConfusionMatrix(self.classes)

    def add(self, a: FrameSays, b: FrameSays) -> None:
        """Adds one frame."""
        agreement = float((a.classes == b.classes).mean())
        self.worst = min(self.worst, (self.frames, agreement), key=lambda found: found[1])
        self._agreements.append(agreement)
        self._entropies.append((a.frame_entropy, b.frame_entropy))
        chosen = top_cells(a.cell_entropy), top_cells(b.cell_entropy)
        self._overlaps.append(len(np.intersect1d(*chosen)) / len(chosen[0]))
        if a.logits is not None and b.logits is not None:
            error = np.abs(a.logits - b.logits)
            self._max_error = max(self._max_error, float(error.max()))
            self._errors.append(float(error.mean()))
            self._magnitudes.append(float(np.abs(a.logits).mean()))
        self.frames += 1

    def add_label(self, label: NDArray[np.uint8], a: FrameSays, b: FrameSays) -> None:
        """Adds the frame's label (h, w) uint8, as ``seen_label`` gives it."""
        for confusion, says in zip(self.confusions, (a, b), strict=True):
            confusion.update(label, says.classes)

    @property
    def max_abs_logit_error(self) -> float | None:
        """Largest |Δlogit|, None where a model gives no logits."""
        return self._max_error if self._errors else None

    @property
    def mean_abs_logit_error(self) -> float | None:
        """Mean |Δlogit|, None where a model gives no logits."""
        return float(np.mean(self._errors)) if self._errors else None

    @property
    def mean_abs_logit(self) -> float | None:
        """Mean |logit| of the first model, to read the errors by."""
        return float(np.mean(self._magnitudes)) if self._magnitudes else None

    @property
    def agreement(self) -> float:
        """Share of pixels whose class is the same."""
        return float(np.mean(self._agreements))

    @property
    def overlap(self) -> float:
        """Share of the most uncertain tenth of the cells that both choose, mean over the frames."""
        return float(np.mean(self._overlaps))

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's ρ of the frames' entropies."""
        a, b = np.asarray(self._entropies, np.float64).T
        return rank_correlation(a, b)

    def miou(self) -> tuple[float | None, float | None]:
        """Mean IoU of both models, None without labeled pixels."""
        a, b = (confusion.miou() for confusion in self.confusions)
        return _known(a), _known(b)

    def delta_iou(self) -> list[float | None]:
        """IoU of the second less that of the first, per class; None for a class without a labeled pixel."""
        first, second = (confusion.iou() for confusion in self.confusions)
        return [_known(float(delta)) for delta in second - first]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
