"""PixelPick's choice: a few pixels of every image, drawn from those of the smallest margin.

Shin, Xie, Albanie, "All You Need Are a Few Pixels: Semantic Segmentation with PixelPick", ICCV Workshops 2021. The
authors' code also takes the pixels out whose true label is void; here nobody knows the truth before it is paid for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def margin(top2_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """p₁ − p₂ of each pixel, (2, H, W) to (H, W) in [0, 1]; the smaller, the less certain."""
    return np.asarray(top2_probs[0] - top2_probs[1])


def draw_uncertain(
    margins: NDArray[np.float32],
    labeled: NDArray[np.bool_],
    number: int,
    share: float,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draws pixels uniformly from the share of an image's pixels that has the smallest margins.

    Drawing rather than taking the first keeps the pixels from being neighbours that say the same thing.

    Args:
        margins: (H, W).
        labeled: (H, W), pixels that have been paid for.
        number: Pixels to draw.
        share: Of all pixels of the image, in (0, 1]; it never stands for fewer than ``number``.
        rng: Source of chance.

    Returns:
        Flat positions, rising; fewer than ``number`` where fewer are left.
    """
    left = np.flatnonzero(~labeled)
    wanted = max(number, int(share * margins.size))
    order = np.argsort(margins.ravel()[left], kind="stable")
    return _draw(left[order[:wanted]], number, rng)


def draw_any(labeled: NDArray[np.bool_], number: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draws pixels uniformly from all that have no label yet, as the first round does; see ``draw_uncertain``."""
    return _draw(np.flatnonzero(~labeled), number, rng)


def _draw(places: NDArray[np.intp], number: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.choice(places, min(number, len(places)), replace=False))
