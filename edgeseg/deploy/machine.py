"""What machine a figure was measured on."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    *("numpy", "opencv-contrib-python-headless", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "torch"),
)
_CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")


def describe_machine() -> dict[str, Any]:
    """Describes the machine as plain data; what cannot be read is None.

    Returns:
        ``cpu``, ``logical_cores`` of the machine and ``usable_cores`` of this process, ``cpu_limit`` (cores
        that a container may use), ``memory_mb``, ``os``, ``python``, ``packages`` (version by name),
        ``governor``, ``frequency_mhz`` and ``max_frequency_mhz`` of the first core, ``load_average`` of one
        minute.
    """
    return {
        "cpu": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "cpu_limit": _cpu_limit(),
        "memory_mb": _memory_mb(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "governor": _read(_CPUFREQ / "scaling_governor"),
        "frequency_mhz": _mhz("scaling_cur_freq"),
        "max_frequency_mhz": _mhz("cpuinfo_max_freq"),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def usable_cores() -> int:
    """Logical cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy_share(interval_s: float = 0.5) -> float | None:
    """Share of all cores' time in which they worked during the next moment, 0 to 1; None where nobody tells.

    Call it while this process rests: what it finds is others' load.
    """
    before = _cpu_times()
    if before is None:
        return None
    time.sleep(interval_s)
    after = _cpu_times()
    if after is None or after[1] == before[1]:
        return None
    return 1.0 - (after[0] - before[0]) / (after[1] - before[1])


class OthersLoad:
    """Work of other processes from here to ``share``, while this one may be busy itself."""

    def __init__(self) -> None:
        self._before = self._now()

    def share(self) -> float | None:
        """Share of all cores' time that others took, 0 to 1; None where nobody tells."""
        before, after = self._before, self._now()
        if before is None or after is None or after[1] <= before[1]:
            return None
        return max(0.0, (after[0] - before[0]) / (after[1] - before[1]))

    @staticmethod
    def _now() -> tuple[float, float] | None:
        """Seconds that all cores worked for others, and seconds of all cores in any state."""
        ticks = _cpu_times()
        if ticks is None:
            return None
        a_second = os.sysconf("SC_CLK_TCK")
        return (ticks[1] - ticks[0]) / a_second - time.process_time(), ticks[1] / a_second


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    # Linux's getrusage also counts what the parent held before exec, so the process's own mark is better.
    for line in (_read(Path("/proc/self/status")) or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if platform.system() == "Darwin" else peak / 1024


def _cpu_times() -> tuple[int, int] | None:
    """(idle, total) ticks of all cores since the start."""
    first = (_read(Path("/proc/stat")) or "").splitlines()[:1]
    if not first:
        return None
    ticks = [int(x) for x in first[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _cpu_model() -> str | None:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or None


def _cpu_limit() -> float | None:
    quota = (_read(Path("/sys/fs/cgroup/cpu.max")) or "max").split()
    return int(quota[0]) / int(quota[1]) if len(quota) == 2 and quota[0] != "max" else None


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    except (AttributeError, ValueError, OSError):
        return None


def _mhz(name: str) -> float | None:
    text = _read(_CPUFREQ / name)
    return int(text) / 1000 if text else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
