"""What a choice of regions is worth, where the labels are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.regions import choose, outlines
from edgeseg.device.strategies import FrameScore

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """One strategy on one frame.

    Attributes:
        spent: Share of the labeled pixels that was chosen.
        caught: Share of all wrong pixels that lie in what was chosen.
        lift: ``caught`` over ``spent``, which is what random regions come to.
        really_wrong: Share of the chosen labeled pixels that were wrong (table 3.6).
        of_cap: ``really_wrong`` over the most that a choice of this size can reach.
        ause: Area between the strategy's and the oracle's sparsification curves, as a share of the error rate;
            None where not all pixels are ranked.
        regions: Regions chosen.
        clicks: Corners that a labeler sets, and one click a region for its class.
        wrong_per_click: Wrong pixels caught a click.
    """

    spent: float
    caught: float
    lift: float
    really_wrong: float
    of_cap: float
    ause: float | None
    regions: int
    clicks: int
    wrong_per_click: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain form for JSON."""
        return asdict(self)


def measure(
    score: FrameScore, ranking: NDArray[np.float64] | None, share: float, labeled: Mask, wrong: Mask
) -> Measured:
    """Measures what a strategy chooses.

    Args:
        score: Its verdict.
        ranking: (H, W), what it ranks pixels by, or None.
        share: Share of all the frame's pixels that may be chosen.
        labeled: (H, W) bool, where there is a label.
        wrong: (H, W) bool, where the model is known to be wrong.
    """
    chosen = choose(score.labels, score.region_values, share)
    mask = np.isin(score.labels, chosen) & labeled
    caught, spent = int((mask & wrong).sum()), max(1, int(mask.sum()))
    clicks = sum(outline.clicks for outline in outlines(score.labels, chosen))
    return Measured(
        spent=spent / labeled.sum(),
        caught=caught / wrong.sum(),
        lift=caught / wrong.sum() / (spent / labeled.sum()),
        really_wrong=caught / spent,
        of_cap=caught / min(spent, int(wrong.sum())),
        ause=None if ranking is None else ause(ranking[labeled], wrong[labeled]),
        regions=len(chosen),
        clicks=clicks,
        wrong_per_click=caught / max(1, clicks),
    )


def ause(ranking: NDArray[np.float64], wrong: Mask) -> float:
    """Area under the sparsification error curve, over the error rate: 0 for the oracle.

    The curve is the error rate of what is left after the most uncertain share was taken out (Ilg et al.,
    "Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow", ECCV 2018). Equal values are taken
    out in no order.

    Args:
        ranking: (P,) higher is more uncertain.
        wrong: (P,) bool.
    """
    steps = np.linspace(0, 1, 101)[:-1]
    return float(np.mean(_left(ranking, wrong, steps) - _left(wrong.astype(float), wrong, steps)) / wrong.mean())


def _left(ranking: NDArray[np.float64], wrong: Mask, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(-ranking, kind="stable")
    ends = np.flatnonzero(np.diff(ranking[order], append=-np.inf))
    taken = np.cumsum(wrong[order])[ends]
    share = (ends + 1) / len(order)
    gone = np.interp(steps, np.concatenate(([0], share)), np.concatenate(([0], taken)))
    return np.asarray((wrong.sum() - gone) / (len(order) * (1 - steps)))
