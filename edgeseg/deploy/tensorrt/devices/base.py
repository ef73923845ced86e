"""What running an engine needs of CUDA, and no more."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ModelError


class Device(Protocol):
    """A GPU. Addresses, streams, events and graphs are plain integers, as TensorRT takes them.

    Every method raises ``ModelError`` with CUDA's own name of the error where CUDA refuses.

    Attributes:
        name: Of the binding.
        has_graphs: Whether ``begin_capture`` and what follows can be called.
    """

    name: str
    has_graphs: bool

    def malloc(self, size: int) -> int:
        """Allocates ``size`` bytes on the device; gives their address."""
        ...

    def free(self, address: int) -> None:
        """Frees what ``malloc`` gave."""
        ...

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Allocates an array in pinned host memory, from and to which copies run beside the host."""
        ...

    def free_host(self, array: NDArray[Any]) -> None:
        """Frees what ``host_array`` gave; the array must not be touched afterwards."""
        ...

    def create_stream(self) -> int:
        """A queue of work that is done in order."""
        ...

    def destroy_stream(self, stream: int) -> None:
        """Gives a stream back."""
        ...

    def synchronize(self, stream: int) -> None:
        """Waits until all work of a stream is done."""
        ...

    def copy_to_device(self, address: int, array: NDArray[Any], stream: int) -> None:
        """Queues a copy from pinned memory; the array must not change until it is done."""
        ...

    def copy_to_host(self, array: NDArray[Any], address: int, stream: int) -> None:
        """Queues a copy to pinned memory; the array holds it once the stream was waited for."""
        ...

    def create_event(self) -> int:
        """A mark to set in a stream."""
        ...

    def destroy_event(self, event: int) -> None:
        """Gives an event back."""
        ...

    def record(self, event: int, stream: int) -> None:
        """Queues the mark."""
        ...

    def elapsed_ms(self, start: int, end: int) -> float:
        """Milliseconds between two marks that were passed."""
        ...

    def begin_capture(self, stream: int) -> None:
        """From here on, what is queued is noted down instead of done."""
        ...

    def end_capture(self, stream: int) -> int:
        """Makes a graph of what was noted down."""
        ...

    def launch(self, graph: int, stream: int) -> None:
        """Queues all work of a graph at once."""
        ...

    def destroy_graph(self, graph: int) -> None:
        """Gives a graph back."""
        ...


class Pinned:
    """The pinned arrays of a device and their addresses, by which they are freed."""

    def __init__(self) -> None:
        self._addresses: dict[int, int] = {}

    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array over pinned memory at an address."""
        size = nbytes(shape, dtype)
        memory = memoryview((ctypes.c_byte * size).from_address(address))
        array: NDArray[Any] = np.frombuffer(memory, np.dtype(dtype)).reshape(shape)
        self._addresses[id(array)] = address
        return array

    def take(self, array: NDArray[Any]) -> int:
        """Forgets an array and gives its address."""
        return self._addresses.pop(id(array))


def nbytes(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def failed(call: str, name: str) -> ModelError:
    """The error for a call that CUDA refused."""
    cure = {
        "cudaErrorMemoryAllocation": "free memory on the GPU, or run fewer models at once",
        "cudaErrorInsufficientDriver": "install an NVIDIA driver that is as new as this CUDA",
        "cudaErrorNoDevice": "there is no GPU here; use the .onnx",
    }.get(name, "edgeseg doctor shows driver, CUDA and GPU")
    return ModelError(f"CUDA refused {call}: {name}; {cure}")
