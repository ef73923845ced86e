"""The compiled loop of ``divergence``."""

from __future__ import annotations

import numba
import numpy as np

from edgeseg.compiled import compiled, exp, log

_F = np.float32
# Smaller odds are no number of full precision.
_LEAST = _F(-80.0)
_TINY = _F(1e-37)
_SMALLEST = _F(1e-6)


@compiled
def diverge(logits, share, probs, mass, counted, weights, gradient):  # type: ignore[no-untyped-def]
    """An image's divergence, and its gradient, a row of pixels at a time.

    Args:
        logits: (C, h, w) float32, in any memory layout.
        share: 1 / T.
        probs: (C, h, w) float32, soft labels that sum to ``mass``.
        mass: (h, w) float32.
        counted: (h, w) bool.
        weights: (C,) float32.
        gradient: (C, h, w) float32, filled with ∂/∂logits.

    Returns:
        Float64, the sum over the pixels that count, in nats.
    """
    classes, height, width = logits.shape
    # Each array by itself: parts of one are not told apart by the compiler, and cost it its vectors.
    logs, odds, slopes = _rows(classes, width), _rows(classes, width), _rows(classes, width)
    top, scale, log_sum, norm = _row(width), _row(width), _row(width), _row(width)
    pull, nats, heavy = _row(width), _row(width), _row(width)
    total = 0.0
    for y in range(height):
        _soften(logits[:, y], share, logs, odds, top, scale)
        for x in range(width):
            log_sum[x] = log(scale[x])
        for x in range(width):
            norm[x] = _F(1) / max(mass[y, x], _SMALLEST)
        for array in (pull, nats, heavy):
            array[:] = _F(0)
        for k in range(classes):
            _add_class(probs[k, y], norm, weights[k], logs[k], odds[k], slopes[k], nats, heavy, pull)
        for x in range(width):
            # D_c = p_t (log p_t − log-odds + log Σ odds) − p_t + p_s
            if counted[y, x]:
                total += float(nats[x] + heavy[x] * log_sum[x] + pull[x])
            norm[x] = share if counted[y, x] else _F(0)
        for k in range(classes):
            slope, odd, target = slopes[k], odds[k], gradient[k, y]
            for x in range(width):
                slope[x] = norm[x] * (slope[x] - odd[x] * pull[x])
            for x in range(width):
                target[x] = slope[x]
    return total


@numba.njit(inline="always")
def _row(width):  # type: ignore[no-untyped-def]
    return np.empty(width, np.float32)


@numba.njit(inline="always")
def _rows(classes, width):  # type: ignore[no-untyped-def]
    return np.empty((classes, width), np.float32)


# Few arrays a loop: a compiler that has to rule out that many overlap gives up on vectors too.


@compiled
def _soften(logits, share, logs, odds, top, scale):  # type: ignore[no-untyped-def]
    """Of a row of pixels (C, w): log-odds to the largest, probabilities, and the sum of the odds."""
    classes, width = logs.shape
    top[:] = -np.inf
    scale[:] = _F(0)
    for k in range(classes):
        log_odds = logs[k]
        for x in range(width):
            log_odds[x] = logits[k, x]
        for x in range(width):
            log_odds[x] *= share
            top[x] = max(top[x], log_odds[x])
    for k in range(classes):
        log_odds, odd = logs[k], odds[k]
        for x in range(width):
            log_odds[x] -= top[x]
            odd[x] = exp(max(log_odds[x], _LEAST))
            scale[x] += odd[x]
    for x in range(width):
        top[x] = _F(1) / scale[x]
    for k in range(classes):
        odd = odds[k]
        for x in range(width):
            odd[x] *= top[x]


@numba.njit(inline="always")
def _add_class(labels, norm, weight, logs, student, slope, nats, heavy, pull):  # type: ignore[no-untyped-def]
    """Adds a class's w p_t (log p_t − log-odds), w p_t and w (p_s − p_t), the last also as its slope."""
    width = len(norm)
    for x in range(width):
        slope[x] = labels[x] * norm[x]
        logs[x] = log(max(slope[x], _TINY)) - logs[x]
    for x in range(width):
        nats[x] += weight * slope[x] * logs[x]
        heavy[x] += weight * slope[x]
    for x in range(width):
        slope[x] = weight * (student[x] - slope[x])
        pull[x] += slope[x]
