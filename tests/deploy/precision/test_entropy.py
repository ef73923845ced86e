from __future__ import annotations

import numpy as np
import pytest

from edgeseg.deploy.precision.entropy import BINS, LEVELS, MagnitudeHistogram, divergence


def slow_divergence(counts, cut):
    """Migacz's slides, one bin after the other."""
    p = [float(c) for c in counts[:cut]]
    p[-1] += float(sum(counts[cut:]))
    groups = {}
    for i in range(cut):
        groups.setdefault(i * LEVELS // max(cut, LEVELS), []).append(i)
    q = [0.0] * cut
    for members in groups.values():
        filled = [i for i in members if counts[i] > 0]
        for i in filled:
            q[i] = sum(counts[j] for j in members) / len(filled)
    total = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0:
            if b == 0:
                return float("inf")
            total += a / sum(p) * np.log((a / sum(p)) / (b / sum(q)))
    return total


@pytest.mark.parametrize("cut", [128, 144, 700, 1000])
def test_divergence_is_the_slow_one(cut):
    counts = np.random.default_rng(0).integers(0, 5, 1000).astype(float)
    assert divergence(counts, cut) == pytest.approx(slow_divergence(counts, cut), rel=1e-9)


def test_bins_merge_when_a_larger_value_comes():
    rng = np.random.default_rng(0)
    parts = [np.abs(rng.normal(0, s, 5000)).astype(np.float32) for s in (0.1, 3.0, 40.0)]
    histogram = MagnitudeHistogram()
    for part in parts:
        histogram.add(part)
    edges = np.arange(BINS + 1) * histogram.width
    expected = np.histogram(np.concatenate(parts), edges)[0]
    assert np.log2(histogram.width) % 1 == 0 and histogram.counts.sum() == 15000
    assert np.array_equal(histogram.counts, expected)


def test_an_even_spread_is_not_cut():
    histogram = MagnitudeHistogram()
    histogram.add(np.linspace(0, 5, 200_000, dtype=np.float32))
    assert histogram.range() == pytest.approx(5.0, rel=0.02)


def test_a_few_far_values_are_given_up():
    values = np.abs(np.random.default_rng(0).normal(0, 1, 500_000)).astype(np.float32)
    values[:5] = 60.0
    histogram = MagnitudeHistogram()
    histogram.add(values)
    assert 3.0 < histogram.range() < 12.0


def test_nothing_counted_has_no_range():
    histogram = MagnitudeHistogram()
    histogram.add(np.zeros(10, np.float32))
    histogram.add(np.full(10, np.nan, np.float32))
    assert histogram.range() == 0.0
