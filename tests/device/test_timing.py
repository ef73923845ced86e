"""Medians of the last durations, against the statistics module."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from edgeseg.device import timing
from edgeseg.device.timing import Timing


def test_medians_are_of_the_last_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REMEMBERED", 8)
    took = Timing()
    durations = np.random.default_rng(0).integers(1, 10**8, 21).tolist()
    assert took.medians_ms()["network"] is None and took.last_ms("network") is None
    for number, nanoseconds in enumerate(durations, start=1):
        took.add("network", nanoseconds)
        last = [ns / 1e6 for ns in durations[max(0, number - 8) : number]]
        assert took.last_ms("network") == last[-1]
        assert took.medians_ms()["network"] == pytest.approx(median(last), abs=1e-3)


def test_block_that_fails_adds_nothing() -> None:
    took = Timing()
    with pytest.raises(ValueError, match="no"), took.measure("scoring"):
        raise ValueError("no")
    with took.measure("spool"):
        pass
    assert took.last_ms("scoring") is None and (took.last_ms("spool") or 0) > 0
