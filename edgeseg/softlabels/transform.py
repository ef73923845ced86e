"""A tile of the grid as few numbers: classes and 2×2 neighbours mixed (Karhunen-Loève), then cosines over 8×8.

What counts is the Kullback-Leibler divergence. To second order it is ½ Δvᵀ F Δv with F = diag(p) − ppᵀ, the Fisher
information of log-probabilities v. With F averaged over the tile, the components of F^½ v that vary most come first,
and one step for all of them spends the bits where the divergence is sensitive. A network's logits span few
directions (those of the ENet of Cityscapes six of 19 × 4), so most components are nothing but rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.softlabels.grid import Grid

CELL: Final = 16
"""Grid samples a block is wide and high: 8 cosines of 2×2 neighbours."""
_RIDGE: Final = 1e-4
_DEAD_ZONE: Final = 0.38


@dataclass(frozen=True)
class Components:
    """A tile's directions and its values along them.

    Attributes:
        basis: (2, 2, C, K) float32: what a component adds to v of class c at row 2i + r, column 2j + s.
        steps: (K,) float32: the step with which column k of the basis was rounded.
        cosines: (K, 8, 8, by, bx) float32.
    """

    basis: NDArray[np.float32]
    steps: NDArray[np.float32]
    cosines: NDArray[np.float32]


@lru_cache(maxsize=1)
def waves() -> NDArray[np.float32]:
    """The orthonormal cosine transform of 8 values: (8, 8) float32, frequency first."""
    frequency, place = np.mgrid[:8, :8]
    matrix = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    matrix[0] *= np.sqrt(0.5)
    return np.asarray(matrix, np.float32)


def analyse(tile: Grid, step: float) -> Components:
    """Finds a tile's components.

    Args:
        tile: (C, th, tw) float32, both multiples of ``CELL``.
        step: That the cosines will be rounded with; decides how finely the basis is kept, and how many components.
    """
    classes, height, width = tile.shape
    fisher = np.kron(np.eye(4), _fisher(tile.reshape(classes, -1))).astype(np.float64)
    cells = tile.reshape(classes, height // 2, 2, width // 2, 2).transpose(2, 4, 0, 1, 3).reshape(4 * classes, -1)
    basis, steps = _basis(cells, fisher, step)
    # The basis is rounded, so the values are those that are nearest with it as it is.
    weighted = basis.T @ fisher
    values = (np.linalg.pinv(weighted @ basis, hermitian=True) @ weighted).astype(np.float32) @ cells
    blocks = values.reshape(len(values), height // CELL, 8, width // CELL, 8)
    cosines = np.einsum("fy,kaybx,gx->kfgab", waves(), blocks, waves(), optimize=True)
    return Components(
        basis.reshape(2, 2, classes, -1).astype(np.float32), steps, np.ascontiguousarray(cosines, np.float32)
    )


def quantise(cosines: NDArray[np.float32], step: float) -> NDArray[np.int64]:
    """Rounds cosines to multiples of step, towards 0 where in doubt: small ones cost more bits than they mend."""
    scaled = cosines / np.float32(step)
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(_DEAD_ZONE))
    rounded[:, 0, 0] = np.rint(scaled[:, 0, 0])
    codes: NDArray[np.int64] = rounded.astype(np.int64)
    return codes


def _fisher(logs: NDArray[np.float32]) -> NDArray[np.float64]:
    odds = np.exp(logs - logs.max(axis=0))
    probs = (odds / odds.sum(axis=0)).astype(np.float64)
    mean = np.diag(probs.mean(axis=1)) - probs @ probs.T / probs.shape[1]
    return np.asarray(mean + _RIDGE * np.eye(len(mean)), np.float64)


def _basis(
    cells: NDArray[np.float32], fisher: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    values, vectors = np.linalg.eigh(fisher)
    root = (vectors * np.sqrt(values)) @ vectors.T
    moments = (cells @ cells.T).astype(np.float64) / cells.shape[1]
    power, directions = np.linalg.eigh(root @ moments @ root)
    kept = np.flatnonzero(power > step**2 / 50)[::-1]
    columns = ((vectors / np.sqrt(values)) @ vectors.T) @ directions[:, kept]
    # An eigenvector's sign is arbitrary, and might differ between libraries.
    columns *= np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(len(kept))])
    # A column's rounding counts as often as its component is strong.
    steps = (0.3 * step / np.sqrt(power[kept])).astype(np.float32)
    rounded: NDArray[Any] = np.rint(columns / steps).clip(-32767, 32767) * steps
    return rounded.astype(np.float64), steps
