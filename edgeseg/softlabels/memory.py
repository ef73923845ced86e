"""Arrays whose memory is used again once nobody holds them.

Memory fresh from the system is zeroed page by page when first touched, which for the soft labels of a crop (40 MB)
takes a third as long as computing them.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES: Final = 256 * 2**20
_ALIGNMENT: Final = 64


class Recycler:
    """Gives float32 arrays, in memory of arrays that it gave before and that are gone; keeps at most 256 MB.

    They begin where a line of the processor's caches does.

    Views, and tensors that share the memory, count as holders.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.float32]] = []
        self._lock = threading.Lock()

    def array(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array of any content."""
        size = int(np.prod(shape))
        whole = size + _ALIGNMENT // 4
        with self._lock:
            for index in range(len(self._blocks)):
                if whole <= self._blocks[index].size <= 2 * whole and _holders(self._blocks, index) == _NOBODY:
                    self._blocks.append(self._blocks.pop(index))
                    break
            else:
                self._blocks.append(np.empty(whole, np.float32))
            while len(self._blocks) > 1 and sum(block.nbytes for block in self._blocks) > _MOST_BYTES:
                self._blocks.pop(0)
            block = self._blocks[-1]
            start = -block.ctypes.data % _ALIGNMENT // 4
            return block[start : start + size].reshape(shape)

    def __reduce__(self) -> tuple[type[Recycler], tuple[()]]:
        # What another process gets has memory of its own.
        return Recycler, ()


def _holders(blocks: list[NDArray[np.float32]], index: int) -> int:
    return sys.getrefcount(blocks[index])


# What the count is where only the list holds the block differs between Pythons.
_NOBODY: Final = _holders([np.empty(1, np.float32)], 0)
