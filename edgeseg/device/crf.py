"""A fully connected CRF over regions, exact but for the mean field: some 1500 regions make a matrix of 9 MB.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS
2011, whose filtering approximates over pixels what is summed up here over regions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError, ModelError
from edgeseg.modelinfo import ModelInfo

CRF_KEY = "crf"
"""Key of the fitted weights in ``ModelInfo.extra``."""
MOST_REGIONS = 6000
"""Every region is joined with every other: at this number the two matrices take 290 MB."""
_SMALLEST = 1e-6


@dataclass(frozen=True)
class CrfWeights:
    """Weights and widths of the two kernels between regions i and j, at places p and of mean colours I.

    k(i, j) = w₁ exp(−|p_i − p_j|² / 2σ_α² − |I_i − I_j|² / 2σ_β²) + w₂ exp(−|p_i − p_j|² / 2σ_γ²),

    each kernel normalised symmetrically: a region whose likes are many hears each of them less.

    Attributes:
        appearance_weight: w₁.
        appearance_sides: σ_α, in sides of a region (the square root of its pixels).
        appearance_colours: σ_β, in steps of 0 to 255.
        smoothness_weight: w₂; 3 in the thesis, which is too much for superpixels.
        smoothness_sides: σ_γ, 3 in the thesis, in sides of a region.
        iterations: Of the mean field.
    """

    appearance_weight: float = 1.0
    appearance_sides: float = 10.0
    appearance_colours: float = 8.0
    smoothness_weight: float = 1.0
    smoothness_sides: float = 3.0
    iterations: int = 5

    def __post_init__(self) -> None:
        if min(self.appearance_weight, self.smoothness_weight) < 0:
            raise ConfigError(f"weights of the CRF must be 0 or more, got {self}")
        if not min(self.appearance_sides, self.appearance_colours, self.smoothness_sides) > 0:
            raise ConfigError(f"widths of the CRF must be above 0, got {self}")
        if self.iterations < 1:
            raise ConfigError(f"the CRF needs 1 iteration or more, got {self.iterations}")

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def fitted_weights(info: ModelInfo) -> CrfWeights | None:
    """The weights that a model carries, None where none were fitted.

    Raises:
        ModelError: What it carries under their name is something else.
    """
    plain = info.extra.get(CRF_KEY)
    if plain is None:
        return None
    try:
        return CrfWeights(**plain["weights"])
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError(
            f"the model's CRF weights are malformed ({error!r}); fit them with edgeseg crf fit and export it again"
        ) from None


def pairwise(places: NDArray[np.float32], colours: NDArray[np.float32], weights: CrfWeights) -> NDArray[np.float32]:
    """The matrix k, (R, R) float32, 0 on its diagonal.

    Args:
        places: (R, 2), in sides of a region.
        colours: (R, 3), 0 to 255.
        weights: Of the kernels.

    Raises:
        ConfigError: There are more than ``MOST_REGIONS`` regions.
    """
    if len(places) > MOST_REGIONS:
        raise ConfigError(
            f"the CRF joins every region with every other, and {len(places)} are more than {MOST_REGIONS}; "
            "make regions larger with superpixel_px"
        )
    near = places / np.float32(weights.smoothness_sides)
    matrix = _kernel(near, weights.smoothness_weight)
    if weights.appearance_weight:
        alike = (places / np.float32(weights.appearance_sides), colours / np.float32(weights.appearance_colours))
        matrix += _kernel(np.concatenate(alike, 1), weights.appearance_weight)
    return matrix


def mean_field(
    probs: NDArray[np.float32], matrix: NDArray[np.float32], iterations: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Iterates Q_i(c) ∝ p_i(c) exp(Σ_j k(i, j) Q_j(c)), all regions at once, from Q = p (Potts model).

    Args:
        probs: (R, C), p; they need not sum to 1.
        matrix: (R, R), k.
        iterations: How often.

    Returns:
        Q (R, C) float32, and the message Σ_j k(i, j) Q_j(c) (R, C) that made it.
    """
    unary = np.log(np.maximum(probs, np.float32(_SMALLEST)))
    found, message = softmax(unary), np.zeros_like(unary)
    for _ in range(iterations):
        message = matrix @ found
        found = softmax(unary + message)
    return found, message


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float32)


def entropy(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """−Σ p log p over the last axis, in nats."""
    logs = np.log(np.maximum(probs, np.float32(1e-12)))
    return np.asarray(-(probs * logs).sum(-1), np.float32)


def _kernel(features: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Weight · D^-½ exp(−|f_i − f_j|² / 2) D^-½, D the sums of its rows; (R, R), 0 on the diagonal."""
    halves, ones = np.square(features).sum(1, keepdims=True) / -2, np.ones((len(features), 1), np.float32)
    # One product of matrices gives f_i · f_j − |f_i|²/2 − |f_j|²/2, the whole exponent.
    matrix = np.concatenate((features, halves, ones), 1) @ np.concatenate((features, ones, halves), 1).T
    np.exp(matrix, out=matrix)
    np.fill_diagonal(matrix, 0)
    factors = 1 / np.sqrt(np.maximum(matrix @ ones, np.float32(1e-20)))
    matrix *= factors * np.float32(weight)
    matrix *= factors.T
    return np.asarray(matrix, np.float32)
