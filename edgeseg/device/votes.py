"""How far several predictions of one frame disagree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def vote_entropy(votes: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Entropy of the classes that N voters give each pixel.

    Dagan and Engelson, "Committee-Based Sampling for Training Probabilistic Classifiers", 1995:
    −Σ_c n_c/N log(n_c/N) over log N, n_c voters having named class c.

    Args:
        votes: N ≥ 2 class maps (H, W) uint8.

    Returns:
        (H, W) uint8, 255 = all name different classes (log N nats), 0 = all agree.
    """
    count = len(votes)
    shares = np.arange(1, count + 1) / count
    terms = np.concatenate(([0.0], -shares * np.log(shares)))
    ballots = np.stack(votes)
    entropy = np.zeros(ballots.shape[1:], np.float32)
    for name in np.flatnonzero(np.bincount(ballots.ravel())):
        entropy += terms.astype(np.float32)[(ballots == name).sum(0, dtype=np.intp)]
    return np.asarray(np.rint(entropy * (255 / np.log(count))), np.uint8)
