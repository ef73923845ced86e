"""From times to figures: percentiles, spread, and how sure the median is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
CONFIDENCE_Z = 1.96
"""Standard normal quantile of a two-sided interval of 95 %."""


def latency_figures(times_ms: NDArray[np.float64]) -> dict[str, Any]:
    """What a row says about its calls' times.

    Args:
        times_ms: (N,) milliseconds, N ≥ 1.

    Returns:
        ``latency_ms`` (min, mean, p50, p90, p95, p99, max), ``p99_minus_p50_ms``, ``variation`` (standard
        deviation over mean) and ``p50_interval_ms`` (lower and upper end).
    """
    points = np.percentile(times_ms, PERCENTILES)
    figures = {"min": times_ms.min(), "mean": times_ms.mean(), "max": times_ms.max()}
    figures |= {f"p{p}": point for p, point in zip(PERCENTILES, points, strict=True)}
    low, high = median_interval(times_ms)
    return {
        "latency_ms": {name: round(float(value), 4) for name, value in figures.items()},
        "p99_minus_p50_ms": round(float(points[3] - points[0]), 4),
        "variation": round(float(times_ms.std() / times_ms.mean()), 4),
        "p50_interval_ms": [round(low, 4), round(high, 4)],
    }


def median_interval(times_ms: NDArray[np.float64]) -> tuple[float, float]:
    """Interval that holds the median with 95 % where calls are independent, without assuming a distribution.

    Between the order statistics of ranks n/2 ∓ 1.96·√n/2 (normal approximation of the binomial; few calls give
    their whole range). Source: Hahn and Meeker, Statistical Intervals, section 5.2.
    """
    ordered, count = np.sort(times_ms), len(times_ms)
    half = CONFIDENCE_Z * math.sqrt(count) / 2
    low = max(math.floor(count / 2 - half), 1)
    high = min(math.ceil(count / 2 + half) + 1, count)
    return float(ordered[low - 1]), float(ordered[high - 1])


def median_ms(nanoseconds: NDArray[np.int64]) -> float:
    """Median of times (N,) in nanoseconds, as milliseconds."""
    return round(float(np.median(nanoseconds)) / 1e6, 4)
