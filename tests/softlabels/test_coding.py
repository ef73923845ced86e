from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.errors import CacheError
from edgeseg.softlabels.coding import decode, encode

Draw = Callable[..., NDArray[np.float32]]


def divergence(p: NDArray[np.float32], q: NDArray[np.float32]) -> NDArray[np.float64]:
    p, q = p.astype(np.float64), q.astype(np.float64)
    return np.where(p > 0, p * (np.log(np.maximum(p, 1e-300)) - np.log(q)), 0).sum(axis=0)


@pytest.mark.parametrize("classes", [2, 11, 19])
@pytest.mark.parametrize("temperature", [1.0, 3.0, 5.0])
def test_coding_stays_within_its_promise(draw_probs: Draw, classes: int, temperature: float) -> None:
    probs = draw_probs(classes, 120, 160, seed=classes, temperature=temperature)
    decoded = decode(encode(probs))
    kl = divergence(probs, decoded)
    assert kl.mean() <= 1e-4 and np.quantile(kl, 0.99) <= 5e-4, f"mean {kl.mean():.2e}, p99 {np.quantile(kl, 0.99):.2e}"
    assert (decoded.argmax(axis=0) == probs.argmax(axis=0)).all()
    assert np.isfinite(divergence(decoded, np.maximum(probs, 1e-30))).all() and decoded.min() > 0
    np.testing.assert_allclose(decoded.sum(axis=0), 1, atol=1e-6)
    assert decoded.dtype == np.float32


def test_argmax_is_kept_where_codes_would_tie() -> None:
    near = np.array([0.25, 0.2501, 0.2499, 0.25], np.float32)[:, None, None]
    assert encode(near).ravel().tolist() == [128, 129, 127, 128]


def test_certainty_is_kept() -> None:
    certain = np.zeros((11, 3, 3), np.float32)
    certain[4] = 1
    decoded = decode(encode(certain))
    assert decoded[4].min() > 1 - 2e-5
    assert np.allclose(np.delete(decoded, 4, axis=0), (0.25 / 255) ** 2, rtol=1e-3)


@pytest.mark.parametrize(
    ("probs", "what"),
    [
        (np.full((2, 4, 4), np.nan, np.float32), "sum to 1"),
        (np.full((2, 4, 4), 0.4, np.float32), "sums from 0.8"),
        (np.stack([np.full((4, 4), 1.5), np.full((4, 4), -0.5)]).astype(np.float32), "values from -0.5"),
        (np.ones((4, 4), np.float32), r"must be \(C, H, W\)"),
    ],
)
def test_encode_refuses_what_is_no_probability(probs: NDArray[np.float32], what: str) -> None:
    with pytest.raises(CacheError, match=what):
        encode(probs)
