from __future__ import annotations

import pickle

import numpy as np
import torch

from edgeseg.softlabels.memory import Recycler
from edgeseg.softlabels.streaming import ALIGNMENT


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    memory = Recycler()
    first = memory.array((3, 1000))
    address = first.ctypes.data
    view, tensor = first[1:2], torch.from_numpy(first)
    for holder in ("first", "view", "tensor"):
        assert memory.array((3, 1000)).ctypes.data != address
        if holder == "first":
            del first
        elif holder == "view":
            del view
    del tensor
    assert address in {memory.array((3, 1000)).ctypes.data for _ in range(4)}
    assert len(memory._blocks) == 2


def test_arrays_that_are_held_keep_their_content() -> None:
    memory = Recycler()
    held = [memory.array((100,)) for _ in range(5)]
    for number, array in enumerate(held):
        array[:] = number
    assert [float(a.mean()) for a in held] == [0, 1, 2, 3, 4]


def test_arrays_begin_where_a_streamed_write_may() -> None:
    memory = Recycler()
    held = [memory.array((size,)) for size in (1, 7, 100, 5000)]
    assert all(array.ctypes.data % ALIGNMENT == 0 for array in held)


def test_another_process_gets_memory_of_its_own() -> None:
    memory = Recycler()
    kept = memory.array((10,))
    assert pickle.loads(pickle.dumps(memory))._blocks == [] and isinstance(kept, np.ndarray)
