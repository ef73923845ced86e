"""Writes that pass the processor's caches by.

An ordinary write first reads what is in memory there. For an array that is larger than the caches and written once, as
the soft labels of a crop are, that is half of the traffic, and the traffic a third of the time.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

ALIGNMENT: Final = 32
_NUMBERS: Final = ALIGNMENT // 4


@numba.njit(inline="always")
def streamable(array, width):  # type: ignore[no-untyped-def]
    """Whether rows of so many float32, one behind the other, all begin where a streamed write may."""
    return width % _NUMBERS == 0 and array.ctypes.data % ALIGNMENT == 0


@numba.njit(inline="always")
def write_products(one, other, target, streams):  # type: ignore[no-untyped-def]
    """Sets target to one · other, all float32 of one axis; past the caches where it ``streams``."""
    if streams:
        first, second, to = one.ctypes.data, other.ctypes.data, target.ctypes.data
        for at in range(0, 4 * len(target), ALIGNMENT):
            _stream_product(np.uintp(first + at), np.uintp(second + at), np.uintp(to + at))  # type: ignore[call-arg]
    else:
        for x in range(len(target)):
            target[x] = one[x] * other[x]


@intrinsic
def _stream_product(context: Any, one: Any, other: Any, target: Any) -> Any:
    """Products of the float32 at two addresses, ``ALIGNMENT`` bytes of them, to a third that is so aligned."""

    def generate(context: Any, builder: Any, signature: Any, addresses: Any) -> Any:
        kind = ir.VectorType(ir.FloatType(), _NUMBERS).as_pointer()
        first, second, to = (builder.inttoptr(address, kind) for address in addresses)
        product = builder.fmul(builder.load(first, align=4), builder.load(second, align=4))
        store = builder.store(product, to, align=ALIGNMENT)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return numba.types.void(one, other, target), generate
