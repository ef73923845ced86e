"""CUDA by pycuda, for those who have it; there are no wheels of it, so it is not the default."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from edgeseg.deploy.tensorrt.devices.base import failed
from edgeseg.errors import ModelError


class PycudaDevice:
    """The Device protocol on pycuda, in the primary context, which TensorRT uses too.

    It makes no CUDA graphs: an engine's work is queued piece by piece.

    Args:
        driver: The module ``pycuda.driver``, None for the one installed.

    Raises:
        ModuleNotFoundError: pycuda is not installed.
    """

    name = "pycuda"
    has_graphs = False

    def __init__(self, driver: Any = None) -> None:
        if driver is None:
            import_module("pycuda.autoprimaryctx")
            driver = import_module("pycuda.driver")
        self._driver = driver
        # pycuda frees what is forgotten, so its objects are kept by the integers that stand for them.
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._events: dict[int, Any] = {}

    def _do(self, call: str, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except self._driver.Error as error:
            raise failed(call, f"{type(error).__name__}: {error}") from None

    def malloc(self, size: int) -> int:
        memory = self._do("mem_alloc", self._driver.mem_alloc, size)
        self._memory[int(memory)] = memory
        return int(memory)

    def free(self, address: int) -> None:
        self._do("free", self._memory.pop(address).free)

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        array: NDArray[Any] = self._do("pagelocked_empty", self._driver.pagelocked_empty, shape, dtype)
        return array

    def free_host(self, array: NDArray[Any]) -> None:
        self._do("free", array.base.free)  # type: ignore[union-attr]  # pycuda's own owner of the memory

    def create_stream(self) -> int:
        stream = self._do("Stream", self._driver.Stream)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def destroy_stream(self, stream: int) -> None:
        del self._streams[stream]

    def synchronize(self, stream: int) -> None:
        self._do("synchronize", self._streams[stream].synchronize)

    def copy_to_device(self, address: int, array: NDArray[Any], stream: int) -> None:
        self._do("memcpy_htod_async", self._driver.memcpy_htod_async, address, array, self._streams[stream])

    def copy_to_host(self, array: NDArray[Any], address: int, stream: int) -> None:
        self._do("memcpy_dtoh_async", self._driver.memcpy_dtoh_async, array, address, self._streams[stream])

    def create_event(self) -> int:
        event = self._do("Event", self._driver.Event)
        self._events[id(event)] = event
        return id(event)

    def destroy_event(self, event: int) -> None:
        del self._events[event]

    def record(self, event: int, stream: int) -> None:
        self._do("record", self._events[event].record, self._streams[stream])

    def elapsed_ms(self, start: int, end: int) -> float:
        return float(self._do("time_since", self._events[end].time_since, self._events[start]))

    def begin_capture(self, stream: int) -> None:
        raise _without_graphs()

    def end_capture(self, stream: int) -> int:
        raise _without_graphs()

    def launch(self, graph: int, stream: int) -> None:
        raise _without_graphs()

    def destroy_graph(self, graph: int) -> None:
        raise _without_graphs()


def _without_graphs() -> ModelError:
    return ModelError("pycuda makes no CUDA graphs here; use cuda-python for them")
