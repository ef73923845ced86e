"""The random pools of regions of which the policy chooses one each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_pools(available: NDArray[np.intp], pools: int, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draws regions without labels into pools, none twice, whatever their true labels are.

    Args:
        available: (A,) numbers of the regions without labels.
        pools: K.
        size: N.
        rng: Source of chance.

    Returns:
        (K', N) with K' < K where fewer than K · N are available: as many full pools as they make, or one that is not
        full. (0, 0) where none is available.
    """
    whole = min(pools, len(available) // size)
    if whole == 0:
        return rng.permutation(available)[None] if len(available) else np.zeros((0, 0), np.intp)
    return rng.choice(available, (whole, size), replace=False)
