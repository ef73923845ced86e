"""Drives made of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgeseg.device.policy import Candidate, Offer

MakeDrive = Callable[..., list[Candidate]]


@pytest.fixture
def make_drive() -> MakeDrive:
    """Makes a drive of given scores: one frame every ``gap_s``, none like another unless hashes are given."""

    def make(
        scores: Sequence[float],
        gap_s: float = 1.0,
        hashes: Sequence[int] | None = None,
        sizes: Sequence[float] | None = None,
        classes: Sequence[dict[str, float]] | None = None,
    ) -> list[Candidate]:
        draw = np.random.default_rng(1)
        made = []
        for i, score in enumerate(scores):
            size = 1000.0 if sizes is None else sizes[i]
            offers = (Offer("full", size, 10), Offer("crops", size * 0.3, 10), Offer("map", size * 0.1, 0))
            image_hash = int(draw.integers(0, 2**63)) if hashes is None else hashes[i]
            shown = {"road": 1.0} if classes is None else classes[i]
            made.append(Candidate(f"f{i}", i, i * gap_s, float(score), image_hash, shown, offers))
        return made

    return make
