"""CUDA by its runtime library alone, which every TensorRT brings: no Python package is needed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_float, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from ctypes.util import find_library
from typing import Any

from numpy.typing import NDArray

from edgeseg.deploy.tensorrt.devices.base import Pinned, failed, nbytes
from edgeseg.errors import MissingDependencyError

NAMES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
# Values of enumerations in driver_types.h.
_TO_DEVICE, _TO_HOST = 1, 2
_NON_BLOCKING, _THREAD_LOCAL = 1, 1


def load_cudart(load: Callable[[str], Any] = ctypes.CDLL) -> Any:
    """Loads the runtime library.

    Raises:
        MissingDependencyError: It is not found.
    """
    for name in (*NAMES, find_library("cudart")):
        try:
            if name:
                return load(name)
        except OSError:
            continue
    raise MissingDependencyError(
        f"CUDA's runtime library ({NAMES[0]}) is not found; add its folder to LD_LIBRARY_PATH, or "
        "install cuda-python with: pip install 'edgeseg[tensorrt]'"
    )


class CudartDevice:
    """The Device protocol on libcudart by ctypes.

    Args:
        library: The loaded library, None for the one installed.

    Raises:
        MissingDependencyError: The library is not found.
    """

    name = "cudart"
    has_graphs = True

    def __init__(self, library: Any = None) -> None:
        self._library = load_cudart() if library is None else library
        self._library.cudaGetErrorName.restype = ctypes.c_char_p
        self._pinned = Pinned()

    def _call(self, name: str, *arguments: Any) -> None:
        error = getattr(self._library, name)(*arguments)
        if error != 0:
            raise failed(name, self._library.cudaGetErrorName(error).decode())

    def _made(self, name: str, *arguments: Any) -> int:
        """Calls what writes a handle or an address to its first argument."""
        handle = c_void_p()
        self._call(name, byref(handle), *arguments)
        return handle.value or 0

    def malloc(self, size: int) -> int:
        return self._made("cudaMalloc", c_size_t(size))

    def free(self, address: int) -> None:
        self._call("cudaFree", c_void_p(address))

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return self._pinned.view(self._made("cudaMallocHost", c_size_t(nbytes(shape, dtype))), shape, dtype)

    def free_host(self, array: NDArray[Any]) -> None:
        self._call("cudaFreeHost", c_void_p(self._pinned.take(array)))

    def create_stream(self) -> int:
        return self._made("cudaStreamCreateWithFlags", c_uint(_NON_BLOCKING))

    def destroy_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", c_void_p(stream))

    def synchronize(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", c_void_p(stream))

    def copy_to_device(self, address: int, array: NDArray[Any], stream: int) -> None:
        self._copy(address, array.ctypes.data, array.nbytes, _TO_DEVICE, stream)

    def copy_to_host(self, array: NDArray[Any], address: int, stream: int) -> None:
        self._copy(array.ctypes.data, address, array.nbytes, _TO_HOST, stream)

    def _copy(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", c_void_p(target), c_void_p(source), c_size_t(size), c_int(kind), c_void_p(stream))

    def create_event(self) -> int:
        return self._made("cudaEventCreate")

    def destroy_event(self, event: int) -> None:
        self._call("cudaEventDestroy", c_void_p(event))

    def record(self, event: int, stream: int) -> None:
        self._call("cudaEventRecord", c_void_p(event), c_void_p(stream))

    def elapsed_ms(self, start: int, end: int) -> float:
        elapsed = c_float()
        self._call("cudaEventElapsedTime", byref(elapsed), c_void_p(start), c_void_p(end))
        return float(elapsed.value)

    def begin_capture(self, stream: int) -> None:
        self._call("cudaStreamBeginCapture", c_void_p(stream), c_int(_THREAD_LOCAL))

    def end_capture(self, stream: int) -> int:
        graph = c_void_p()
        self._call("cudaStreamEndCapture", c_void_p(stream), byref(graph))
        try:
            # Not cudaGraphInstantiate, whose arguments changed with CUDA 12.
            return self._made("cudaGraphInstantiateWithFlags", graph, c_ulonglong(0))
        finally:
            self._call("cudaGraphDestroy", graph)

    def launch(self, graph: int, stream: int) -> None:
        self._call("cudaGraphLaunch", c_void_p(graph), c_void_p(stream))

    def destroy_graph(self, graph: int) -> None:
        self._call("cudaGraphExecDestroy", c_void_p(graph))
