"""How far two models may be apart, by the less precise of the two."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.errors import ConfigError

RANKED_FRAMES = 10
"""Fewer frames give no verdict on their ranks: one exchange of neighbours already moves ρ by 0.01 and more."""


@dataclass(frozen=True)
class ParityTolerance:
    """Bounds of the verdict.

    Attributes:
        agreement: Least share of pixels whose class is the same.
        delta_miou: Largest |ΔmIoU|, as a share: 0.0005 is 0.05 points.
        rank_correlation: Least Spearman's ρ of the frames' entropies, of at least ``RANKED_FRAMES`` frames.
        region_overlap: Least share of the most uncertain tenth of each frame that both choose.
        logit: Largest mean |Δlogit| as a share of the mean |logit|; None for no bound. The largest
            |Δlogit| has none: where two pixels of a pooling cell are within rounding of each other,
            ENet's unpooling may set the value at the other one.
    """

    agreement: float
    delta_miou: float
    rank_correlation: float
    region_overlap: float
    logit: float | None = None

    def __post_init__(self) -> None:
        for name in ("agreement", "delta_miou", "region_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be a share from 0 to 1, got {getattr(self, name)}")
        if not -1 <= self.rank_correlation <= 1:
            raise ConfigError(f"rank_correlation must be from -1 to 1, got {self.rank_correlation}")


TOLERANCES = {
    "fp32": ParityTolerance(0.998, 0.0005, 0.999, 0.97, 2e-3),
    "fp16": ParityTolerance(0.999, 0.0005, 0.99, 0.97),
    "bf16": ParityTolerance(0.98, 0.005, 0.9, 0.90),
    "int8-fp16": ParityTolerance(0.95, 0.005, 0.9, 0.90),
    "int8": ParityTolerance(0.95, 0.005, 0.9, 0.90),
}
"""By precision, from the most to the least precise."""


def tolerance_for(*precisions: str) -> ParityTolerance:
    """The bounds for models of these precisions: those of the least precise one."""
    order = list(TOLERANCES)
    return TOLERANCES[max(precisions, key=lambda name: order.index(name) if name in order else len(order) - 1)]
