"""Compiled loops of the codec. Importing this module takes a second, so others import it when they first decode.

A grid holds unnormalised log-probabilities v (C, gh, gw) float32, |v| ≤ ``MAX_LOG``; probabilities are the softmax of
its bilinear interpolation. Positions on an axis come as the lower neighbour's index and the share of the upper one.
"""

from __future__ import annotations

import numba
import numpy as np

from edgeseg.compiled import compiled, exp
from edgeseg.softlabels.streaming import streamable, write_products

MAX_LOG = 80.0
_F = np.float32
_SPAN = 128


@compiled
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
                odd[x] = exp(odd[x])
                total[x] += odd[x]
        for x in range(width):
            total[x] = _F(1) / total[x]
        for k in range(classes):
            for x in range(width):
                out[k, y, x] = odds[k, x] * total[x]


@compiled
def double(grid, row, column, skipped, out):  # type: ignore[no-untyped-def]
    """As ``resample``, where each sample has two label pixels on each axis, ¼ to either side of it.

    A pixel's odds are e^(9/16·v + 3/16·v′ + 3/16·v″ + 1/16·v‴), v the nearest of its four samples. With roots e^(v/16)
    that is a product of powers, so each sample, and not each pixel, takes an exponential: columns first, whose results
    two rows of pixels share with their neighbours, then rows.

    Args:
        grid: (C, gh, gw) float32.
        row: The sample that the first row lies around; one more is there on each side of those needed.
        column: Likewise.
        skipped: Pixels of the first sample that are left out: (0 or 1 above, 0 or 1 to the left).
        out: (C, h, w) float32.
    """
    classes, height, width = out.shape
    samples = (width + skipped[1] + 1) // 2
    roots = np.empty((classes, samples + 2), np.float32)
    lines = np.empty((3, classes, 2 * samples), np.float32)
    streams = streamable(out, width)
    for sample in range(-1, (height + skipped[0] + 1) // 2 + 1):
        _widen(grid, row + sample, column, roots, lines[(sample + 1) % 3])
        for side in range(2):
            # Of the sample before, whose two neighbours are there now.
            y = 2 * (sample - 1) + side - skipped[0]
            if sample > 0 and 0 <= y < height:
                _join(lines[sample % 3], lines[(sample + 2 * side + 2) % 3], skipped[1], out[:, y], streams)


@compiled
def _widen(grid, row, column, roots, lines):  # type: ignore[no-untyped-def]
    """A row of samples from the one before ``column`` on, as e^(¾·v/4 + ¼·v′/4) of two pixels a sample."""
    classes, samples = lines.shape[0], lines.shape[1] // 2
    for k in range(classes):
        logs, root = grid[k, row, column - 1 : column + samples + 1], roots[k]
        for x in range(samples + 2):
            root[x] = exp(logs[x] * _F(0.0625))
    for k in range(classes):
        root, line = roots[k], lines[k]
        for x in range(samples):
            cube = root[x + 1] * root[x + 1] * root[x + 1]
            line[2 * x] = cube * root[x]
            line[2 * x + 1] = cube * root[x + 2]


@compiled
def _join(near, far, first, out, streams):  # type: ignore[no-untyped-def]
    """A row of pixels (C, w) from two lines of ``_widen``, in stretches that fit the processor's first cache."""
    classes, width = out.shape
    odds = np.empty((classes, _SPAN), np.float32)
    scales = np.empty(_SPAN, np.float32)
    for start in range(0, width, _SPAN):
        span, begin = min(_SPAN, width - start), first + start
        scales[:] = _F(0)
        for k in range(classes):
            own, other, odd = near[k, begin : begin + span], far[k, begin : begin + span], odds[k]
            for x in range(span):
                power = own[x] * own[x] * own[x] * other[x]
                odd[x] = power
                scales[x] += power
        for x in range(span):
            scales[x] = _F(1) / scales[x]
        for k in range(classes):
            write_products(odds[k, :span], scales, out[k, start : start + span], streams)


@numba.njit(inline="always")
def _blend(plane, row, share, line):  # type: ignore[no-untyped-def]
    upper = plane[row]
    lower = plane[min(row + 1, plane.shape[0] - 1)]
    for x in range(plane.shape[1]):
        line[x] = upper[x] + share * (lower[x] - upper[x])
    line[plane.shape[1]] = line[plane.shape[1] - 1]


@compiled
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
                total[x] += exp(log[x])
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


@compiled
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


@compiled
def decode(body, width, used, step, steps, place, waves, blocks, grid, at_row, at_column):  # type: ignore[no-untyped-def]
    """Turns a tile's codes into the part of the grid that it covers; blocks outside of it are passed over.

    Args:
        body: uint8, see ``tiles``.
        width: Bytes of a code.
        used: K components.
        step: What a code of 1 stands for.
        steps: (K,) float32: the same of the basis, by component.
        place: (64,) where frequency f stands among the codes.
        waves: (8, 8) float32: waves[f, x], cosines.
        blocks: (by, bx) of the tile, each of 16 × 16 samples.
        grid: (C, gh, gw) float32, filled where the tile covers it.
        at_row: The tile's first row in the grid, even, negative where it starts before it.
        at_column: The tile's first column in the grid, likewise.
    """
    classes, height, wide = grid.shape
    top, bottom = max(0, -at_row // 16), min(blocks[0], (height - at_row + 15) // 16)
    left, right = max(0, -at_column // 16), min(blocks[1], (wide - at_column + 15) // 16)
    down, across = bottom - top, right - left
    padded = max(4, (used + 3) // 4 * 4)
    basis = np.zeros((2, 2, classes, padded), np.float32)
    _read_basis(body, steps, basis)
    codes = np.empty((64, down, across), np.float32)
    latent = np.zeros((padded, down, 8 * across * 8), np.float32)
    size = 64 * blocks[0] * blocks[1]
    coded = body[8 * classes * used :].reshape(width, used, size)
    zeros = np.zeros(size, np.uint8)
    for k in range(used):
        _read_codes(coded[0, k], coded[1, k] if width == 2 else zeros, place, blocks, top, left, codes)
        _inverse(codes.reshape(64, down * across), step, waves, latent[k].reshape(down * 8, across * 8))
    _synthesise(latent, basis, across * 8, grid, at_row + 16 * top, at_column + 16 * left)


@compiled
def _read_basis(body, steps, basis):  # type: ignore[no-untyped-def]
    """(2, 2, C, K) float32: v of class c at row 2i + r, column 2j + s from the components at i, j."""
    rows, used = 4 * basis.shape[2], len(steps)
    flat = basis.reshape(rows, basis.shape[3])
    low, high = body[: rows * used].reshape(rows, used), body[rows * used : 2 * rows * used].reshape(rows, used)
    for row in range(rows):
        for k in range(used):
            number = np.int32(low[row, k]) | np.int32(high[row, k]) << 8
            flat[row, k] = _F((number >> 1) ^ -(number & 1)) * steps[k]


@compiled
def _read_codes(low, high, place, blocks, top, left, codes):  # type: ignore[no-untyped-def]
    """A component's codes, low and high bytes (64, by, bx), as numbers (64, down, across) float32 of some blocks."""
    count = blocks[0] * blocks[1]
    numbers = np.empty(count, np.int32)
    for f in range(64):
        start = place[f] * count
        lower, upper = low[start : start + count], high[start : start + count]
        for b in range(count):
            number = np.int32(lower[b]) | np.int32(upper[b]) << 8
            numbers[b] = (number >> 1) ^ -(number & 1)
        if f == 0:
            # The lowest frequency is kept as the difference to the block before.
            for b in range(1, count):
                numbers[b] += numbers[b - 1 if b % blocks[1] else b - blocks[1]]
        for i in range(codes.shape[1]):
            line, target = numbers[(top + i) * blocks[1] + left :], codes[f, i]
            for j in range(codes.shape[2]):
                target[j] = _F(line[j])


@compiled
def _inverse(codes, step, waves, latent):  # type: ignore[no-untyped-def]
    """Inverse cosine transform of all blocks at once: codes (64, n) float32 to latent (by * 8, bx * 8)."""
    blocks, across = codes.shape[1], latent.shape[1] // 8
    half = np.zeros((8, 8, blocks), np.float32)
    whole = np.empty(blocks, np.float32)
    last = 0
    for f in range(8):
        for g in range(8):
            line = codes[f * 8 + g]
            some = False
            for b in range(blocks):
                some |= line[b] != _F(0)
            if some:
                last = max(last, g)
                for y in range(8):
                    weight, sums = waves[f, y] * step, half[y, g]
                    for b in range(blocks):
                        sums[b] += weight * line[b]
    for y in range(8):
        for x in range(8):
            whole[:] = _F(0)
            for g in range(last + 1):
                weight, sums = waves[g, x], half[y, g]
                for b in range(blocks):
                    whole[b] += weight * sums[b]
            for i in range(blocks // across):
                target = latent[i * 8 + y]
                for j in range(across):
                    target[j * 8 + x] = whole[i * across + j]


@compiled
def _synthesise(latent, basis, wide, grid, at_row, at_column):  # type: ignore[no-untyped-def]
    """Mixes components (K, by, 8 · wide) of 2 × 2 samples each into the grid where it has them; K a multiple of 4."""
    classes, height, width = grid.shape
    both = np.empty((2, 8 * wide), np.float32)
    first, last = max(0, -at_column // 2), min(wide, (width - at_column) // 2)
    start, end = at_column + 2 * first, at_column + 2 * last
    most = _F(MAX_LOG)
    for i in range(latent.shape[1]):
        top = at_row + i * 16
        lines = range(max(0, -top // 2), min(8, (height - top) // 2))
        for c in range(classes):
            for r in range(2):
                for s in range(2):
                    line, weights = both[s], basis[r, s, c]
                    for k in range(0, latent.shape[0], 4):
                        o, p, q, t = latent[k, i], latent[k + 1, i], latent[k + 2, i], latent[k + 3, i]
                        u, v, w, z = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
                        if k == 0:
                            for x in range(line.shape[0]):
                                line[x] = (u * o[x] + v * p[x]) + (w * q[x] + z * t[x])
                        else:
                            for x in range(line.shape[0]):
                                line[x] += (u * o[x] + v * p[x]) + (w * q[x] + z * t[x])
                for y in lines:
                    target = grid[c, top + y * 2 + r, start:end]
                    evens, odds = (
                        both[0, y * wide + first : y * wide + last],
                        both[1, y * wide + first : y * wide + last],
                    )
                    for x in range(last - first):
                        target[2 * x] = min(max(evens[x], -most), most)
                        target[2 * x + 1] = min(max(odds[x], -most), most)
