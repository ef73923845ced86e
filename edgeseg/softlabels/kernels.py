"""Compiled loops of the codec. Importing this module takes a second, so others import it when they first decode.

A grid holds unnormalised log-probabilities v (C, gh, gw) float32, |v| ≤ ``MAX_LOG``; probabilities are the softmax of
its bilinear interpolation. Positions on an axis come as the lower neighbour's index and the share of the upper one.
"""

from __future__ import annotations

import numba
import numpy as np

MAX_LOG = 80.0
_F = np.float32
_SPAN = 128
# No reassociation: sums keep their order, hence equal results whatever the vector length.
_compiled = numba.njit(nogil=True, cache=True, fastmath={"nnan", "ninf", "nsz", "contract", "arcp"})


@numba.njit(inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """e^x for |x| ≤ 87 by 2^n · 2^f with a polynomial of degree 5 in f ∈ [−½, ½]; relative error below 5e-6."""
    scaled = x * _F(1.4426950408889634)
    whole = np.rint(scaled)
    f = scaled - whole
    power = _F(1.3333558e-3)
    power = power * f + _F(9.6181291e-3)
    power = power * f + _F(5.5504109e-2)
    power = power * f + _F(2.4022651e-1)
    power = power * f + _F(6.9314718e-1)
    power = power * f + _F(1.0)
    return power * (np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))).view(np.float32)


@_compiled
def resample(grid, rows, row_shares, columns, column_shares, out):  # type: ignore[no-untyped-def]
    """Softmax of the interpolated grid at h × w positions, into out (C, h, w) float32."""
    classes, height, width = out.shape
    line = np.empty(grid.shape[2] + 1, np.float32)
    odds = np.empty((classes, width), np.float32)
    total = np.empty(width, np.float32)
    for y in range(height):
        total[:] = _F(0)
        for k in range(classes):
            _blend(grid[k], rows[y], row_shares[y], line)
            odd = odds[k]
            for x in range(width):
                left = line[columns[x]]
                odd[x] = left + column_shares[x] * (line[columns[x] + 1] - left)
            for x in range(width):
                odd[x] = _exp(odd[x])
                total[x] += odd[x]
        for x in range(width):
            total[x] = _F(1) / total[x]
        for k in range(classes):
            for x in range(width):
                out[k, y, x] = odds[k, x] * total[x]


@_compiled
def double(grid, rows, row_shares, column, out):  # type: ignore[no-untyped-def]
    """As ``resample``, where each sample's columns lie ¼ to its left and ¼ to its right.

    Even and odd columns are computed apart, where neighbours lie in order, and interleaved at the end; a stretch of
    columns at a time, so that it stays in the processor's first cache.

    Args:
        grid: (C, gh, gw) float32.
        rows: (h,) lower neighbours.
        row_shares: (h,) shares of the upper ones.
        column: The sample before the first that columns lie around.
        out: (C, h, w / 2, 2) float32.
    """
    classes, height, pairs = out.shape[:3]
    line = np.empty(2 * _SPAN + 2, np.float32)
    pair = np.empty((classes, 2, _SPAN), np.float32)
    total = np.empty((2, _SPAN), np.float32)
    for y in range(height):
        upper, lower, share = rows[y], min(rows[y] + 1, grid.shape[1] - 1), row_shares[y]
        for start in range(0, pairs, _SPAN):
            span = min(_SPAN, pairs - start)
            total[:] = _F(0)
            begin, end = column + start, column + start + span + 2
            for k in range(classes):
                above, below = grid[k, upper, begin:end], grid[k, lower, begin:end]
                for x in range(span + 2):
                    line[x] = above[x] + share * (below[x] - above[x])
                evens, odds, even_total, odd_total = pair[k, 0], pair[k, 1], total[0], total[1]
                for x in range(span):
                    middle = line[x + 1]
                    evens[x] = _exp(middle + _F(0.25) * (line[x] - middle))
                    odds[x] = _exp(middle + _F(0.25) * (line[x + 2] - middle))
                    even_total[x] += evens[x]
                    odd_total[x] += odds[x]
            for x in range(span):
                total[0, x] = _F(1) / total[0, x]
                total[1, x] = _F(1) / total[1, x]
            even_total, odd_total = total[0], total[1]
            for k in range(classes):
                target, evens, odds = out[k, y, start : start + span], pair[k, 0], pair[k, 1]
                for x in range(span):
                    target[x, 0] = evens[x] * even_total[x]
                    target[x, 1] = odds[x] * odd_total[x]


@numba.njit(inline="always")
def _blend(plane, row, share, line):  # type: ignore[no-untyped-def]
    upper = plane[row]
    lower = plane[min(row + 1, plane.shape[0] - 1)]
    for x in range(plane.shape[1]):
        line[x] = upper[x] + share * (lower[x] - upper[x])
    line[plane.shape[1]] = line[plane.shape[1] - 1]


@_compiled
def cross_entropy(grid, rows, row_shares, columns, column_shares, probs):  # type: ignore[no-untyped-def]
    """Σ over pixels of −Σ_k p_k log q_k in nats, and the pixels where q's best class is one of p's best."""
    classes, height, width = probs.shape
    line = np.empty(grid.shape[2] + 1, np.float32)
    logs = np.empty((classes, width), np.float32)
    total = np.empty(width, np.float32)
    product = np.empty(width, np.float32)
    best = np.empty(width, np.float32)
    chosen = np.empty(width, np.float32)
    top = np.empty(width, np.float32)
    nats, agreed = 0.0, 0
    for y in range(height):
        total[:] = _F(0)
        product[:] = _F(0)
        best[:] = _F(-2 * MAX_LOG)
        top[:] = _F(0)
        for k in range(classes):
            _blend(grid[k], rows[y], row_shares[y], line)
            log = logs[k]
            for x in range(width):
                left = line[columns[x]]
                log[x] = left + column_shares[x] * (line[columns[x] + 1] - left)
            for x in range(width):
                total[x] += _exp(log[x])
                p = probs[k, y, x]
                product[x] += p * log[x]
                is_better = log[x] > best[x]
                best[x] = log[x] if is_better else best[x]
                chosen[x] = p if is_better else chosen[x]
                top[x] = max(top[x], p)
        for x in range(width):
            nats += np.log(total[x]) - product[x]
            agreed += chosen[x] >= top[x] - _F(1e-6)
    return nats, agreed


@_compiled
def fit_rows(values, rows, shares, size):  # type: ignore[no-untyped-def]
    """Least squares: the (size, n) float32 whose linear interpolation at the positions is nearest to values (h, n).

    The normal equations are tridiagonal, solved by elimination down the rows and substitution up.
    """
    diagonal = np.full(size, 1e-7)
    beside = np.zeros(size)
    solved = np.zeros((size, values.shape[1]), np.float32)
    for y in range(values.shape[0]):
        first = rows[y]
        second = min(first + 1, size - 1)
        low, high = _F(1) - shares[y], shares[y]
        if first == second:
            low, high = _F(1), _F(0)
        diagonal[first] += low * low
        diagonal[second] += high * high
        beside[first] += low * high
        for x in range(values.shape[1]):
            solved[first, x] += low * values[y, x]
            solved[second, x] += high * values[y, x]
    for i in range(1, size):
        factor = beside[i - 1] / diagonal[i - 1]
        diagonal[i] -= factor * beside[i - 1]
        for x in range(values.shape[1]):
            solved[i, x] -= _F(factor) * solved[i - 1, x]
    for i in range(size - 1, -1, -1):
        inverse, factor = _F(1 / diagonal[i]), _F(beside[i])
        for x in range(values.shape[1]):
            if i + 1 < size:
                solved[i, x] -= factor * solved[i + 1, x]
            solved[i, x] *= inverse
    return solved


@_compiled
def synthesise(codes, step, basis, waves, grid, at_row, at_column):  # type: ignore[no-untyped-def]
    """Turns a tile's codes into the part of the grid that it covers.

    Args:
        codes: (K, 8, 8, by, bx) int16, K components of by × bx blocks, vertical frequency first; K a multiple of 4.
        step: What a code of 1 stands for.
        basis: (2, 2, C, K) float32: v of class c at row 2i + r, column 2j + s from the components at i, j.
        waves: (8, 8) float32: waves[f, x], cosines.
        grid: (C, gh, gw) float32, filled where the tile covers it.
        at_row: The tile's first row in the grid, negative where it starts before it.
        at_column: The tile's first column in the grid.
    """
    components, down, across = codes.shape[0], codes.shape[3], codes.shape[4]
    classes, height, width = grid.shape
    latent = np.empty((components, down, 8 * across * 8), np.float32)
    for k in range(components):
        _inverse(codes[k], step, waves, latent[k].reshape(down * 8, across * 8))
    wide = across * 8
    even, odd = np.empty(8 * wide, np.float32), np.empty(8 * wide, np.float32)
    first, last = max(0, -at_column // 2), min(wide, (width - at_column) // 2)
    start = at_column // 2 + first
    most = _F(MAX_LOG)
    for i in range(down):
        top = at_row + i * 16
        lines = range(max(0, -top // 2), min(8, (height - top) // 2))
        if len(lines) > 0:
            for c in range(classes):
                for r in range(2):
                    _mix(latent, i, basis[r, 0, c], even)
                    _mix(latent, i, basis[r, 1, c], odd)
                    for y in lines:
                        pairs = grid[c, top + y * 2 + r].reshape(-1, 2)[start : start + last - first]
                        evens = even[y * wide + first : y * wide + last]
                        odds = odd[y * wide + first : y * wide + last]
                        for x in range(last - first):
                            pairs[x, 0] = min(max(evens[x], -most), most)
                            pairs[x, 1] = min(max(odds[x], -most), most)


@numba.njit(inline="always")
def _inverse(codes, step, waves, latent):  # type: ignore[no-untyped-def]
    """Inverse cosine transform of all blocks at once: codes (8, 8, by, bx) to latent (by * 8, bx * 8)."""
    down, across = codes.shape[2:]
    blocks = down * across
    lines = codes.reshape(8, 8, blocks)
    half = np.zeros((8, 8, blocks), np.float32)
    whole = np.empty(blocks, np.float32)
    last = 0
    for f in range(8):
        for g in range(8):
            some = False
            for b in range(blocks):
                some |= lines[f, g, b] != 0
            if some:
                last = max(last, g)
                for y in range(8):
                    weight = waves[f, y] * step
                    for b in range(blocks):
                        half[y, g, b] += weight * _F(lines[f, g, b])
    for y in range(8):
        for x in range(8):
            whole[:] = _F(0)
            for g in range(last + 1):
                for b in range(blocks):
                    whole[b] += waves[g, x] * half[y, g, b]
            for i in range(down):
                for j in range(across):
                    latent[i * 8 + y, j * 8 + x] = whole[i * across + j]


@numba.njit(inline="always")
def _mix(latent, i, weights, line):  # type: ignore[no-untyped-def]
    for k in range(0, latent.shape[0], 4):
        a, b, c, d = latent[k, i], latent[k + 1, i], latent[k + 2, i], latent[k + 3, i]
        u, v, w, z = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        if k == 0:
            for x in range(line.shape[0]):
                line[x] = (u * a[x] + v * b[x]) + (w * c[x] + z * d[x])
        else:
            for x in range(line.shape[0]):
                line[x] += (u * a[x] + v * b[x]) + (w * c[x] + z * d[x])


@_compiled
def unfold(folded, place, codes):  # type: ignore[no-untyped-def]
    """Signed codes from 2n or −2n − 1, each frequency in its place, and mean values from their differences.

    Args:
        folded: (K, 64, by, bx) uint8 or uint16.
        place: (64,) where frequency f stands in ``folded``.
        codes: (K, 8, 8, by, bx) int16, filled.
    """
    for k in range(folded.shape[0]):
        for f in range(64):
            source, target = folded[k, place[f]], codes[k, f // 8, f % 8]
            for y in range(target.shape[0]):
                for x in range(target.shape[1]):
                    number = np.int32(source[y, x])
                    target[y, x] = (number >> 1) ^ -(number & 1)
        means = codes[k, 0, 0]
        for y in range(means.shape[0]):
            for x in range(means.shape[1]):
                if x:
                    means[y, x] += means[y, x - 1]
                elif y:
                    means[y, x] += means[y - 1, x]
