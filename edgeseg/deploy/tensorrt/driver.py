"""What NVIDIA driver and GPU the machine has, asked of the driver itself, before any library that trusts in one.

Deserializing an engine where there is no driver ends the process with a segmentation fault instead of an
error, so everything here that runs engines asks this module first.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from edgeseg.errors import MissingDependencyError

LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
# Values of CUdevice_attribute in cuda.h.
_MULTIPROCESSORS, _MAJOR, _MINOR, _INTEGRATED = 16, 75, 76, 18


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: As the driver names it.
        compute_capability: Such as ``8.7``.
        multiprocessors: How many it has; tells modules of one name and different size apart.
        memory_mb: Its memory in MiB; a Jetson's is the machine's.
        integrated: Whether it shares its memory with the CPU.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    memory_mb: int
    integrated: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Driver:
    """The driver.

    Attributes:
        cuda: Newest CUDA that it runs, such as ``12.6``.
        gpus: The GPUs, in the driver's order.
    """

    cuda: str
    gpus: tuple[Gpu, ...]


def probe_driver(load: Callable[[str], Any] = ctypes.CDLL) -> Driver | None:
    """Asks the driver; None where there is none, or it has no GPU.

    Args:
        load: Loads a library by name, or raises ``OSError``.
    """
    library = _library(load)
    if library is None or library.cuInit(0) != 0:
        return None
    version, count = ctypes.c_int(), ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    if library.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return None
    gpus = tuple(_gpu(library, index) for index in range(count.value))
    return Driver(f"{version.value // 1000}.{version.value % 1000 // 10}", gpus)


def require_gpu(what: str, driver: Driver | None) -> Gpu:
    """The GPU that CUDA uses by default.

    Raises:
        MissingDependencyError: There is no driver or no GPU; the message begins with ``what``.
    """
    if driver is None:
        raise MissingDependencyError(
            f"{what} needs an NVIDIA GPU, and this machine has no CUDA driver that answers ({LIBRARIES[0]}); "
            "install the driver, or use the .onnx (edgeseg doctor tells what this machine can run)"
        )
    return driver.gpus[0]


def _library(load: Callable[[str], Any]) -> Any | None:
    for name in LIBRARIES:
        try:
            return load(name)
        except OSError:
            continue
    return None


def _gpu(library: Any, index: int) -> Gpu:
    handle, name, total = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    library.cuDeviceGet(ctypes.byref(handle), index)
    library.cuDeviceGetName(name, len(name), handle)
    library.cuDeviceTotalMem_v2(ctypes.byref(total), handle)
    major, minor, multiprocessors, integrated = (
        _attribute(library, handle, number) for number in (_MAJOR, _MINOR, _MULTIPROCESSORS, _INTEGRATED)
    )
    text = name.value.decode("utf-8", "replace")
    return Gpu(text, f"{major}.{minor}", multiprocessors, total.value >> 20, bool(integrated))


def _attribute(library: Any, handle: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int()
    library.cuDeviceGetAttribute(ctypes.byref(value), number, handle)
    return value.value
