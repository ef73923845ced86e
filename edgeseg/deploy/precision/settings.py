"""Which lower precision is made, from which frames, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgeseg.deploy.precision.ranges import MethodChoice
from edgeseg.deploy.precision.search import Bounds
from edgeseg.errors import ConfigError

Precision = Literal["fp32", "fp16", "int8", "int8-fp16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
QUANTISED = ("int8", "int8-fp16")
"""Precisions that need the ranges of activations."""
_MAY_COST = {
    "fp16": Bounds(0.05, 0.97, 0.9992),
    "int8": Bounds(0.5, 0.9, 0.985),
    "int8-fp16": Bounds(0.5, 0.9, 0.985),
}
"""What parity allows; of equal pixels more is asked for, since on few frames they tell more than mIoU does, and
frames that the search has not seen may cost more."""


@dataclass(frozen=True)
class PrecisionSettings:
    """How a lower precision is made.

    Attributes:
        precision: ``fp32``, ``fp16``, ``int8``, or ``int8-fp16``: what is not int8 is fp16 instead of fp32.
        calibrate: Dataset whose frames give the ranges of int8 and on which the cost of every choice is
            measured; its labels are used where they are the model's classes, otherwise the fp32 graph's own
            class maps. Without it fp16 is made everywhere, whatever it costs.
        frames: At most so many of its frames, evenly spaced.
        method: ``percentile``, ``entropy``, ``minmax``, or ``auto``: the one that changes the fewest pixels.
        max_miou_drop: Most points of IoU that a class may lose or gain on average, None for the precision's own.
        min_region_overlap: Least overlap of the most uncertain regions, None for the precision's own.
        min_agreement: Least share of pixels of the same class, None for the precision's own.
    """

    precision: Precision = "fp32"
    calibrate: str | None = None
    frames: int = 16
    method: MethodChoice = "auto"
    max_miou_drop: float | None = None
    min_region_overlap: float | None = None
    min_agreement: float | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"--precision {self.precision}: choose from {', '.join(PRECISIONS)}")
        if self.precision in QUANTISED and self.calibrate is None:
            raise ConfigError(
                f"--precision {self.precision} needs --calibrate D: frames from which the ranges are measured"
            )
        if self.precision == "fp32" and self.calibrate is not None:
            raise ConfigError("--calibrate belongs to a lower --precision, not to fp32")
        if self.method not in get_args(MethodChoice):
            raise ConfigError(f"--calibration-method {self.method}: choose from {', '.join(get_args(MethodChoice))}")
        if self.frames < 1:
            raise ConfigError(f"--calibration-frames must be at least 1, got {self.frames}")
        bounds = self.bounds
        if bounds.miou_points < 0 or not (0 <= bounds.region_overlap <= 1 and 0 <= bounds.agreement <= 1):
            raise ConfigError(
                "--max-miou-drop must be at least 0, --min-region-overlap and --min-agreement from 0 to 1, got "
                f"{bounds.miou_points:g}, {bounds.region_overlap:g} and {bounds.agreement:g}"
            )

    @property
    def bounds(self) -> Bounds:
        """What the precision may cost: as given, otherwise its own."""
        own = _MAY_COST.get(self.precision, Bounds(0.0, 1.0, 1.0))
        return Bounds(
            own.miou_points if self.max_miou_drop is None else self.max_miou_drop,
            own.region_overlap if self.min_region_overlap is None else self.min_region_overlap,
            own.agreement if self.min_agreement is None else self.min_agreement,
        )
