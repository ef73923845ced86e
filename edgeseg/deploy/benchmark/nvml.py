"""NVIDIA's management library on a desktop or server GPU: clocks, temperature, what slows it down, its power."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

DEVICE = 0
"""The first GPU, which is the one that CUDA uses by default."""
SLOWED_BY = {
    "SwPowerCap": "power limit",
    "HwSlowdown": "hardware slowdown",
    "SwThermalSlowdown": "temperature",
    "HwThermalSlowdown": "temperature",
    "HwPowerBrakeSlowdown": "power brake",
}
"""Reasons as ``nvmlClocksThrottleReason...`` names them → in words."""


@contextmanager
def opened() -> Iterator[tuple[Any, Any] | None]:
    """The module and the GPU's handle; None where there is no library, driver or GPU."""
    try:
        module = import_module("pynvml")
        module.nvmlInit()
    except Exception:  # NVMLError is a class of the module that may be missing
        yield None
        return
    try:
        yield module, module.nvmlDeviceGetHandleByIndex(DEVICE)
    finally:
        module.nvmlShutdown()


def state() -> dict[str, Any] | None:
    """Clock and highest clock (MHz), temperature (°C), power limit (W), what slows it down, memory of this process.

    Each is None where this GPU does not tell; all together None where there is none.
    """
    with opened() as found:
        if found is None:
            return None
        nvml, gpu = found
        clock, hot = nvml.NVML_CLOCK_SM, nvml.NVML_TEMPERATURE_GPU
        limit = _told(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, gpu)
        return {
            "clock_mhz": _told(nvml, nvml.nvmlDeviceGetClockInfo, gpu, clock),
            "max_clock_mhz": _told(nvml, nvml.nvmlDeviceGetMaxClockInfo, gpu, clock),
            "temperature_c": _told(nvml, nvml.nvmlDeviceGetTemperature, gpu, hot),
            "power_limit_w": None if limit is None else limit / 1000,
            "slowed_by": slowed_by(nvml, _told(nvml, nvml.nvmlDeviceGetCurrentClocksThrottleReasons, gpu)),
            "memory_mb": _memory_mb(nvml, gpu),
        }


def slowed_by(nvml: Any, reasons: int | None) -> list[str] | None:
    """Bits of the throttle reasons in words, without those that slow nothing down (idle, clocks set by hand)."""
    if reasons is None:
        return None
    named = {word for name, word in SLOWED_BY.items() if reasons & getattr(nvml, f"nvmlClocksThrottleReason{name}")}
    return sorted(named)


def _memory_mb(nvml: Any, gpu: Any) -> float | None:
    processes = _told(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, gpu) or ()
    used = [process.usedGpuMemory for process in processes if process.pid == os.getpid()]
    return round(used[0] / (1 << 20), 1) if used and used[0] is not None else None


def _told(nvml: Any, ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except nvml.NVMLError:
        return None
