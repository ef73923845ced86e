"""One frame's place on the GPU: a context, its buffers, its stream, and once warm its CUDA graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.tensorrt import api
from edgeseg.deploy.tensorrt.devices.base import Device, nbytes
from edgeseg.deploy.tensorrt.network import DTYPES
from edgeseg.errors import DataError, ModelError


@dataclass(frozen=True)
class Buffer:
    """A tensor on both sides: pinned host memory and its like on the device."""

    host: NDArray[Any]
    address: int


@dataclass(frozen=True)
class StageTimes:
    """Where a frame's time went, by the GPU's own clock but for the last.

    Attributes:
        upload_ms: Host to device.
        network_ms: The engine; None where all three were one CUDA graph, which is not looked into.
        download_ms: Device to host.
        enqueue_ms: The host's time to queue all that.
    """

    upload_ms: float | None
    network_ms: float | None
    download_ms: float | None
    total_ms: float
    enqueue_ms: float


class Slot:
    """Runs one frame at a time; two of them keep a GPU busy.

    A slot belongs to one thread. After ``submit`` comes ``collect``, before the next ``submit``.

    Args:
        engine: The engine.
        device: The GPU.
        graph: Whether work is replayed as a CUDA graph once it ran the plain way.

    Raises:
        ModelError: The GPU has no memory for it.
    """

    def __init__(self, engine: api.ICudaEngine, device: Device, graph: bool = True) -> None:
        self._engine, self._device = engine, device
        self._wants_graph = graph and device.has_graphs
        context: api.IExecutionContext = engine.create_execution_context()
        if context is None:
            raise ModelError("TensorRT cannot make an execution context; free memory on the GPU")
        self._context = context
        self._stream = device.create_stream()
        self._marks = [device.create_event() for _ in range(4)]
        self._buffers: dict[str, Buffer] = {}
        self._input = ""
        self._outputs: tuple[str, ...] = ()
        self._graph: int | None = None
        self._warm = self._replayed = False
        self._enqueue_ms = 0.0
        self.pending = False

    @property
    def replays(self) -> bool:
        """Whether the next frame is replayed as a CUDA graph."""
        return self._graph is not None

    def bind(self, name: str, outputs: tuple[str, ...], shape: tuple[int, ...]) -> None:
        """Makes the buffers for an input of this shape, unless they are there.

        Raises:
            DataError: The engine does not take the shape.
        """
        if name in self._buffers and self._buffers[name].host.shape == shape:
            return
        self._release()
        context: api.IExecutionContext = self._context
        if not context.set_input_shape(name, shape):
            raise DataError(
                f"the engine does not take {name} of shape {list(shape)}; build it for that size (export --frame, "
                "--batch)"
            )
        self._input, self._outputs = name, outputs
        for tensor in (name, *outputs):
            buffer = self._allocate(tensor, tuple(int(n) for n in context.get_tensor_shape(tensor)))
            self._buffers[tensor] = buffer
            context.set_tensor_address(tensor, buffer.address)

    def _allocate(self, name: str, shape: tuple[int, ...]) -> Buffer:
        engine: api.ICudaEngine = self._engine
        if min(shape, default=1) < 1:
            raise ModelError(f"TensorRT does not know the shape of {name}: {list(shape)}; build the engine again")
        dtype = DTYPES[engine.get_tensor_dtype(name).name][1]
        return Buffer(self._device.host_array(shape, dtype), self._device.malloc(nbytes(shape, dtype)))

    def submit(self, array: NDArray[Any], replay: bool = True) -> None:
        """Queues a frame; ``bind`` was called for its shape. Without ``replay`` its graph is left aside."""
        if self.pending:
            raise ModelError("this slot still holds a frame; collect it first")
        start = time.perf_counter_ns()
        np.copyto(self._buffers[self._input].host, array, casting="no")
        self._replayed = replay and self._graph is not None
        try:
            if self._replayed:
                self._replay()
            else:
                self._queue(marked=True)
        except ModelError:
            self._device.synchronize(self._stream)  # what was queued before the failure still reads the buffers
            raise
        self._enqueue_ms = (time.perf_counter_ns() - start) / 1e6
        self.pending = True

    def collect(self) -> dict[str, NDArray[Any]]:
        """Waits for the frame; arrays of the caller's own, by output name."""
        if not self.pending:
            raise ModelError("this slot holds no frame; submit one first")
        self._device.synchronize(self._stream)
        self.pending = False
        results = {name: self._buffers[name].host.copy() for name in self._outputs}
        self.times = self._read_marks()
        if self._wants_graph and not self._warm:
            # The first run lets TensorRT do what it puts off and what may not be captured.
            self._capture()
        self._warm = True
        return results

    def _replay(self) -> None:
        device, (begin, *_, end) = self._device, self._marks
        device.record(begin, self._stream)
        device.launch(self._graph or 0, self._stream)
        device.record(end, self._stream)

    def _queue(self, marked: bool) -> None:
        device, context = self._device, self._context
        source = self._buffers[self._input]
        self._mark(0, marked)
        device.copy_to_device(source.address, source.host, self._stream)
        self._mark(1, marked)
        self._execute(context)
        self._mark(2, marked)
        for name in self._outputs:
            device.copy_to_host(self._buffers[name].host, self._buffers[name].address, self._stream)
        self._mark(3, marked)

    def _execute(self, context: api.IExecutionContext) -> None:
        if not context.execute_async_v3(self._stream):
            raise ModelError("TensorRT could not run the engine; its log above says why")

    def _mark(self, position: int, marked: bool) -> None:
        if marked:
            self._device.record(self._marks[position], self._stream)

    def _read_marks(self) -> StageTimes:
        between = self._device.elapsed_ms
        marks = self._marks
        total = between(marks[0], marks[3])
        if self._replayed:
            return StageTimes(None, None, None, total, self._enqueue_ms)
        parts = [between(marks[k], marks[k + 1]) for k in range(3)]
        return StageTimes(parts[0], parts[1], parts[2], total, self._enqueue_ms)

    def _capture(self) -> None:
        """Notes the work down as a graph; where the engine cannot be captured, it goes on without."""
        device = self._device
        device.begin_capture(self._stream)
        try:
            self._queue(marked=False)
        except ModelError:
            self._wants_graph = False
        try:
            graph = device.end_capture(self._stream)
        except ModelError:
            self._wants_graph = False
            return
        if self._wants_graph:
            self._graph = graph
        else:
            device.destroy_graph(graph)

    def _release(self) -> None:
        device = self._device
        device.synchronize(self._stream)
        self.pending = False
        if self._graph is not None:
            device.destroy_graph(self._graph)
        self._graph, self._warm = None, False
        for buffer in self._buffers.values():
            device.free(buffer.address)
            device.free_host(buffer.host)
        self._buffers = {}

    def close(self) -> None:
        """Gives everything back."""
        self._release()
        for mark in self._marks:
            self._device.destroy_event(mark)
        self._device.destroy_stream(self._stream)
        self._context = None
