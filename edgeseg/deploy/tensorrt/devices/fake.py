"""A device that is not there: it does what CUDA promises and refuses what CUDA leaves undefined.

For tests of whatever uses a device. Work is done when a stream is waited for, never earlier, and until then
arrays that a copy reads cannot be written, and arrays that a copy writes hold rubbish.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUBBISH = 0xCD

Action = Callable[[], None]
Work = tuple[Action, Action]
"""What holds from the moment it is queued, and what happens when it is done."""


class FakeDevice:
    """The Device protocol in host memory; misuse raises ``AssertionError``."""

    name = "fake"
    has_graphs = True

    def __init__(self) -> None:
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.pinned: dict[int, NDArray[Any]] = {}
        self.streams: dict[int, list[Work]] = {}
        self.events: dict[int, int | None] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.capturing: dict[int, list[Work]] = {}
        self.launches = 0
        self._clock = 0
        self._next = 0x1000

    def _new(self, size: int = 1) -> int:
        address, self._next = self._next, self._next + -(-size // 256) * 256 + 256
        return address

    def _idle(self, what: str) -> None:
        """CUDA may wait for the whole device here, or invalidate a capture."""
        assert not self.capturing, f"{what} while a stream is captured"

    def malloc(self, size: int) -> int:
        self._idle("malloc")
        assert size > 0, "malloc of nothing"
        address = self._new(size)
        self.memory[address] = np.full(size, RUBBISH, np.uint8)
        return address

    def free(self, address: int) -> None:
        self._idle("free")
        assert address in self.memory, f"free of {address:#x}, which is not allocated"
        assert not any(self.streams.values()), "free while work is queued"
        del self.memory[address]

    def bytes_at(self, address: int, size: int) -> NDArray[np.uint8]:
        """The ``size`` bytes at an address, checked; what stands in for a kernel reads and writes them."""
        memory = self.memory.get(address)
        assert memory is not None, f"{address:#x} is not allocated"
        assert size <= memory.size, f"{size} bytes at {address:#x}, which has {memory.size}"
        return memory[:size]

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        self._idle("host_array")
        array = np.frombuffer(bytearray(np.full(np.empty(shape, dtype).nbytes, RUBBISH, np.uint8)), dtype)
        shaped = array.reshape(shape)
        self.pinned[id(shaped)] = shaped
        return shaped

    def free_host(self, array: NDArray[Any]) -> None:
        self._idle("free_host")
        assert id(array) in self.pinned, "free_host of an array that is not pinned"
        assert not any(self.streams.values()), "free_host while work is queued"
        del self.pinned[id(array)]

    def create_stream(self) -> int:
        stream = self._new()
        self.streams[stream] = []
        return stream

    def destroy_stream(self, stream: int) -> None:
        assert not self.streams.pop(stream), "stream destroyed with work in it"

    def synchronize(self, stream: int) -> None:
        assert stream not in self.capturing, "synchronize while the stream is captured"
        work, self.streams[stream] = self.streams[stream], []
        for _, do in work:
            do()

    def enqueue(self, stream: int, do: Action, at_once: Action = lambda: None) -> None:
        """Queues work, or notes it down; what stands in for TensorRT calls it too."""
        assert stream in self.streams, f"{stream:#x} is no stream"
        if stream in self.capturing:
            self.capturing[stream].append((at_once, do))
        else:
            at_once()
            self.streams[stream].append((at_once, do))

    def copy_to_device(self, address: int, array: NDArray[Any], stream: int) -> None:
        assert id(array) in self.pinned, "copy from memory that is not pinned"
        self.bytes_at(address, array.nbytes)

        def lock() -> None:
            array.flags.writeable = False

        def copy() -> None:
            self.bytes_at(address, array.nbytes)[:] = array.reshape(-1).view(np.uint8)
            array.flags.writeable = True

        self.enqueue(stream, copy, lock)

    def copy_to_host(self, array: NDArray[Any], address: int, stream: int) -> None:
        assert id(array) in self.pinned, "copy to memory that is not pinned"
        self.bytes_at(address, array.nbytes)

        def spoil() -> None:
            array.reshape(-1).view(np.uint8)[:] = RUBBISH

        def copy() -> None:
            array.reshape(-1).view(np.uint8)[:] = self.bytes_at(address, array.nbytes)

        self.enqueue(stream, copy, spoil)

    def create_event(self) -> int:
        event = self._new()
        self.events[event] = None
        return event

    def destroy_event(self, event: int) -> None:
        del self.events[event]

    def record(self, event: int, stream: int) -> None:
        assert event in self.events, f"{event:#x} is no event"
        self.events[event] = None

        def pass_mark() -> None:
            self._clock += 1
            self.events[event] = self._clock

        self.enqueue(stream, pass_mark)

    def elapsed_ms(self, start: int, end: int) -> float:
        first, last = self.events[start], self.events[end]
        assert first is not None and last is not None, "elapsed_ms of a mark that was not passed"
        return float(last - first)

    def begin_capture(self, stream: int) -> None:
        assert not self.streams[stream], "capture begins with work in the stream"
        self.capturing[stream] = []

    def end_capture(self, stream: int) -> int:
        graph = self._new()
        self.graphs[graph] = self.capturing.pop(stream)
        return graph

    def launch(self, graph: int, stream: int) -> None:
        assert graph in self.graphs, f"{graph:#x} is no graph"
        assert stream not in self.capturing, "launch while the stream is captured"
        self.launches += 1
        for at_once, do in self.graphs[graph]:
            self.enqueue(stream, do, at_once)

    def destroy_graph(self, graph: int) -> None:
        assert not any(self.streams.values()), "graph destroyed while work is queued"
        del self.graphs[graph]

    def left_over(self) -> list[str]:
        """Kinds of things that were made and not given back."""
        held = (("memory", self.memory), ("pinned memory", self.pinned), ("streams", self.streams))
        return [name for name, kept in (*held, ("events", self.events), ("graphs", self.graphs)) if kept]
