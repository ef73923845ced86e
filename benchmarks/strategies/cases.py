"""The strategies that are compared, each with its options."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from edgeseg.device.crf import CrfWeights


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: In the table.
        strategy: Name of the strategy.
        options: Of ``StrategyOptions``.
        superpixel_px: Pixels of one region.
        masked: Whether unlabeled pixels (hood, borders) are left out, as an ignore mask does.
        crf: Weights in the place of those fitted on the other frames.
    """

    name: str
    strategy: str
    options: dict[str, Any] = field(default_factory=dict)
    superpixel_px: int = 1400
    masked: bool = True
    crf: CrfWeights | None = None


MEAN = {"region_score": "mean"}
PIXELS = {"regions": "pixels"}
INFORMATION = {"dropout_score": "mutual-information"}


def cases(second_model: Path | None) -> list[Case]:
    """All rows; the committee's where there is a second model."""
    rows = [
        Case("random", "random"),
        Case("entropy, pixels", "entropy"),
        Case("entropy-edge, pixels, w 1.5", "entropy-edge"),
        Case("entropy-edge, pixels, w 3", "entropy-edge", {"edge_weight": 3.0}),
        Case("margin, pixels", "margin", PIXELS),
        Case("least-confidence, pixels", "least-confidence", PIXELS),
        Case("superpixel, sum", "superpixel"),
        Case("superpixel, mean", "superpixel", MEAN),
        Case("superpixel of 350 px, mean", "superpixel", MEAN, 350),
        Case("grid, mean", "entropy", {"regions": "grid", **MEAN}),
        Case("component, mean", "entropy", {"regions": "component", **MEAN}),
        Case("superpixel-crf, sum", "superpixel-crf"),
        Case("superpixel-crf, mean", "superpixel-crf", MEAN),
        Case("class-specific, sum", "class-specific"),
        Case("class-specific, mean", "class-specific", MEAN),
        Case("margin, mean", "margin", MEAN),
        Case("least-confidence, mean", "least-confidence", MEAN),
        Case("entropy-edge, superpixels, mean", "entropy-edge", {"regions": "superpixel", **MEAN}),
        Case("class-balanced-superpixel, sum", "class-balanced-superpixel"),
        Case("class-balanced-superpixel, mean", "class-balanced-superpixel", MEAN),
        Case("flip-consistency, sum", "flip-consistency"),
        Case("flip-consistency, mean", "flip-consistency", MEAN),
        Case("mc-dropout, pixels", "mc-dropout", PIXELS),
        Case("mc-dropout, mean", "mc-dropout", MEAN),
        Case("mc-dropout, information, pixels", "mc-dropout", {**INFORMATION, **PIXELS}),
        Case("mc-dropout, information, mean", "mc-dropout", {**INFORMATION, **MEAN}),
        Case("entropy, pixels, no mask", "entropy", masked=False),
        Case("superpixel, mean, no mask", "superpixel", MEAN, masked=False),
    ]
    # Of these the report takes, for each frame, what is best on the others, as the CRF over superpixels is fitted.
    appearances = ((0.3, 2.0, 8.0), (1.0, 2.0, 8.0), (3.0, 4.0, 13.0), (10.0, 4.0, 13.0))
    for (weight, sides, colours), smoothness in product(appearances, (1.0, 3.0)):
        weights = CrfWeights(weight, sides, colours, smoothness)
        name = f"pixel crf, mean, w {weight:g}, {sides:g} sides, {colours:g} steps, smoothness {smoothness:g}"
        rows.append(Case(name, "superpixel-crf", {"crf": "pixel", **MEAN}, crf=weights))
    if second_model is not None:
        rows.append(Case("committee of two, mean", "committee", {"committee": (second_model,), **MEAN}))
    return rows
