"""What compiled loops share: how they are compiled, and exponential and logarithm that run on vectors.

Importing it brings numba, so others import it, and what builds on it, when they first compute.
"""

from __future__ import annotations

import numba
import numpy as np

# No reassociation: sums keep their order, hence equal results whatever the vector length.
compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan", "ninf", "nsz", "contract", "arcp"})
_F = np.float32


@numba.njit(inline="always")
def exp(x):  # type: ignore[no-untyped-def]
    """e^x in float32 for |x| ≤ 87 by 2^n · 2^f, a polynomial of degree 6 in f ∈ [−½, ½].

    The relative error is below 5e-6, for |x| ≤ 5 below 1e-6.
    """
    scaled = x * _F(1.4426950408889634)
    whole = np.rint(scaled)
    f = scaled - whole
    power = _F(1.5403530e-4)
    power = power * f + _F(1.3333558e-3)
    power = power * f + _F(9.6181291e-3)
    power = power * f + _F(5.5504109e-2)
    power = power * f + _F(2.4022651e-1)
    power = power * f + _F(6.9314718e-1)
    power = power * f + _F(1.0)
    return power * (np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))).view(np.float32)


@numba.njit(inline="always")
def log(x):  # type: ignore[no-untyped-def]
    """Logarithm in float32 for normal x > 0; error below 2e-7 of the larger of 1 and |ln x|.

    x = 2^n · m with m in √½ to √2, ln m by the polynomial of Cephes (Moshier), ``logf``.
    """
    bits = _F(x).view(np.int32)
    # The bits of √½ are taken off, so that the exponent's carry falls there.
    whole = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    f = np.int32(bits - np.int32(whole << np.int32(23))).view(np.float32) - _F(1.0)
    power = _F(7.0376836292e-2)
    power = power * f - _F(1.1514610310e-1)
    power = power * f + _F(1.1676998740e-1)
    power = power * f - _F(1.2420140846e-1)
    power = power * f + _F(1.4249322787e-1)
    power = power * f - _F(1.6668057665e-1)
    power = power * f + _F(2.0000714765e-1)
    power = power * f - _F(2.4999993993e-1)
    power = power * f + _F(3.3333331174e-1)
    square = f * f
    return _F(whole) * _F(0.69314718) + (f + (power * f * square - _F(0.5) * square))
