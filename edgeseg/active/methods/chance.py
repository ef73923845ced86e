"""Random numbers that depend on the run's seed and on what they are for, so that a run that goes on repeats them."""

from __future__ import annotations

import numpy as np

from edgeseg.files import digest_text


def chance_of(*parts: object) -> np.random.Generator:
    """A source of random numbers of its own for each seed, round, frame or whatever the parts name."""
    return np.random.default_rng(int(digest_text("/".join(map(str, parts)))[:16], 16))
