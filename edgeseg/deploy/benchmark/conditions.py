"""The machine's state around a measurement: clocks, power mode, temperature, and what held it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from edgeseg.deploy.benchmark import nvml
from edgeseg.deploy.doctor_machine import Machine
from edgeseg.deploy.jetson import parse_jetson_clocks, parse_power_mode

SYS = Path("/sys")


def snapshot(machine: Machine | None = None, sys: Path = SYS) -> dict[str, Any]:
    """The state at this moment, plain data; what the machine does not tell is None.

    Args:
        machine: Asked for what Jetson's tools say; this one by default.
        sys: Where the kernel's ``/sys`` is.

    Returns:
        ``cpu_mhz`` (mean of the cores) and ``cpu_max_mhz``, ``governor``, ``temperature_c`` (by sensor),
        ``power_mode``, ``clocks_locked`` (Jetson: whether every clock stands at its highest), ``gpu`` (as
        ``nvml.state`` gives it), ``throttle_events`` (of the processor since the machine's start),
        ``quota_waits`` (periods in which a container had to wait for its share of the processor),
        ``stolen_s`` (seconds that a virtual machine's processors were given to others).
    """
    machine = machine or Machine()
    frequency = _frequency()
    return {
        "cpu_mhz": round(frequency.current, 1) if frequency else None,
        "cpu_max_mhz": round(frequency.max, 1) if frequency and frequency.max else None,
        "governor": machine.read(str(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "temperature_c": _temperatures(),
        **_jetson(machine),
        "gpu": nvml.state(),
        "throttle_events": _sum_of(sys.glob("devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")),
        "quota_waits": _quota_waits(machine, sys),
        "stolen_s": getattr(psutil.cpu_times(), "steal", None),
    }


def _frequency() -> Any:
    """The cores' mean ``current`` and ``max`` in MHz; some small machines do not tell, each in its own way."""
    try:
        return psutil.cpu_freq()
    except (AttributeError, NotImplementedError, OSError):
        return None


def _temperatures() -> dict[str, float] | None:
    found = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    named = {
        f"{chip} {reading.label or position}": round(reading.current, 1)
        for chip, readings in found.items()
        for position, reading in enumerate(readings)
        # Sensors of parts that are off give values below any that a running machine has.
        if reading.current > -50
    }
    return named or None


def _jetson(machine: Machine) -> dict[str, Any]:
    if machine.read("/etc/nv_tegra_release") is None:
        return {"power_mode": None, "clocks_locked": None}
    clocks = parse_jetson_clocks(machine.run("jetson_clocks", "--show"))
    return {
        "power_mode": parse_power_mode(machine.run("nvpmodel", "-q"))["power_mode"],
        "clocks_locked": all(clock.locked for name, clock in clocks.items() if name != "EMC") if clocks else None,
    }


def _sum_of(paths: Any) -> int | None:
    counts = [int(text) for path in paths if (text := path.read_text().strip()).isdecimal()]
    return sum(counts) if counts else None


def _quota_waits(machine: Machine, sys: Path) -> int | None:
    for line in (machine.read(str(sys / "fs/cgroup/cpu.stat")) or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "nr_throttled":
            return int(value)
    return None
