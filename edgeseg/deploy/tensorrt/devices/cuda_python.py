"""CUDA by NVIDIA's own binding, cuda-python."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from edgeseg.deploy.tensorrt.devices.base import Pinned, failed, nbytes


def load_runtime() -> Any:
    """The binding's runtime module: ``cuda.bindings.runtime`` from 12.6 on, ``cuda.cudart`` before 13.

    Raises:
        ModuleNotFoundError: Neither is there.
    """
    try:
        return import_module("cuda.bindings.runtime")
    except ModuleNotFoundError:
        return import_module("cuda.cudart")


class CudaPythonDevice:
    """The Device protocol on cuda-python.

    Args:
        runtime: The binding's runtime module, None for the one installed.

    Raises:
        ModuleNotFoundError: cuda-python is not installed.
    """

    name = "cuda-python"
    has_graphs = True

    def __init__(self, runtime: Any = None) -> None:
        self._rt = runtime or load_runtime()
        self._pinned = Pinned()

    def _call(self, name: str, *arguments: Any) -> Any:
        """Calls; the first of what comes back is the error, the rest the results."""
        error, *results = getattr(self._rt, name)(*arguments)
        if int(error) != 0:
            raise failed(name, error.name)
        return results[0] if results else None

    def malloc(self, size: int) -> int:
        return int(self._call("cudaMalloc", size))

    def free(self, address: int) -> None:
        self._call("cudaFree", address)

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return self._pinned.view(int(self._call("cudaMallocHost", nbytes(shape, dtype))), shape, dtype)

    def free_host(self, array: NDArray[Any]) -> None:
        self._call("cudaFreeHost", self._pinned.take(array))

    def create_stream(self) -> int:
        return int(self._call("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking))

    def destroy_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def copy_to_device(self, address: int, array: NDArray[Any], stream: int) -> None:
        kind = self._rt.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, array.ctypes.data, array.nbytes, kind, stream)

    def copy_to_host(self, array: NDArray[Any], address: int, stream: int) -> None:
        kind = self._rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", array.ctypes.data, address, array.nbytes, kind, stream)

    def create_event(self) -> int:
        return int(self._call("cudaEventCreate"))

    def destroy_event(self, event: int) -> None:
        self._call("cudaEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        self._call("cudaEventRecord", event, stream)

    def elapsed_ms(self, start: int, end: int) -> float:
        return float(self._call("cudaEventElapsedTime", start, end))

    def begin_capture(self, stream: int) -> None:
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> int:
        graph = self._call("cudaStreamEndCapture", stream)
        try:
            return int(self._call("cudaGraphInstantiateWithFlags", graph, 0))
        finally:
            self._call("cudaGraphDestroy", graph)

    def launch(self, graph: int, stream: int) -> None:
        self._call("cudaGraphLaunch", graph, stream)

    def destroy_graph(self, graph: int) -> None:
        self._call("cudaGraphExecDestroy", graph)
