"""What NVIDIA's tools on a Jetson print: tegrastats, nvpmodel, jetson_clocks, and the release file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

TOTAL_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")
"""Rails that carry the whole module (Orin NX and Nano, Xavier NX, TX2; Nano; Thor); the others are parts of them."""
RAIL_SETS = (("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"))
"""Rails that add up to most of the module where none carries all of it (AGX Orin; AGX Xavier)."""


@dataclass(frozen=True)
class TegraSample:
    """One line of tegrastats.

    Attributes:
        rails_mw: Power of each rail at that moment (not tegrastats' own average, which runs from its start).
        temperature_c: By sensor; sensors that are off are left out.
        gpu_mhz: Clock of the GPU, the slowest of several; None where the line has none.
        gpu_busy: Its load, 0 to 1; None where the line does not say.
        ram_mb, ram_total_mb: Memory of the module, which CPU and GPU share.
    """

    rails_mw: dict[str, float]
    temperature_c: dict[str, float]
    gpu_mhz: float | None
    gpu_busy: float | None
    ram_mb: float | None
    ram_total_mb: float | None

    def total_w(self) -> tuple[float, str] | None:
        """Watts of the module, and of which rails; None where this module's rails are not known."""
        for rail in TOTAL_RAILS:
            if rail in self.rails_mw:
                return self.rails_mw[rail] / 1000, rail
        for rails in RAIL_SETS:
            if all(rail in self.rails_mw for rail in rails):
                return sum(self.rails_mw[rail] for rail in rails) / 1000, " + ".join(rails)
        return None


_RAIL = re.compile(r"(?<![\w/@])([A-Z][A-Z0-9_]*) (\d+)(mW)?/(\d+)(?:mW)?(?:/\d+mW)?(?![\w/])")
_TEMPERATURE = re.compile(r"\b([A-Za-z][\w-]*)@(-?\d+(?:\.\d+)?)C")
_GPU = re.compile(r"\bGR3D_FREQ (?:(\d+)%)?(?:@\[?([\d,]+)\]?)?")
_RAM = re.compile(r"\bRAM (\d+)/(\d+)MB")
_OFF_C = -256.0
"""What tegrastats prints of a sensor whose part has no power."""


def parse_tegrastats(line: str) -> TegraSample:
    """Reads one line of tegrastats, in the forms of JetPack 4 to 7.

    Rails are written ``NAME a/b`` (mW, JetPack 4), ``NAME amW/bmW`` or ``NAME amW/bmW/cmW``: the first is the moment's.
    """
    text = _RAM.sub("", re.sub(r"\b(?:SWAP|IRAM) \S+", "", line))
    gpu, ram = _GPU.search(line), _RAM.search(line)
    clocks = [float(mhz) for mhz in gpu.group(2).split(",") if mhz] if gpu and gpu.group(2) else []
    readings = {name: float(value) for name, value in _TEMPERATURE.findall(line)}
    return TegraSample(
        rails_mw={found.group(1): float(found.group(2)) for found in _RAIL.finditer(text)},
        temperature_c={name: value for name, value in readings.items() if value != _OFF_C},
        gpu_mhz=min(clocks) if clocks else None,
        gpu_busy=int(gpu.group(1)) / 100 if gpu and gpu.group(1) else None,
        ram_mb=float(ram.group(1)) if ram else None,
        ram_total_mb=float(ram.group(2)) if ram else None,
    )


def parse_power_mode(text: str | None) -> dict[str, Any]:
    """Name and number of the power mode from ``nvpmodel -q``, verbose or not; None where it does not say."""
    found = re.search(r"NV Power Mode:[ \t]*(\S+)[ \t]*(?:\n[ \t]*(\d+)[ \t]*$)?", text or "", re.MULTILINE)
    number = int(found.group(2)) if found and found.group(2) else None
    return {"power_mode": found.group(1) if found else None, "power_mode_id": number}


@dataclass(frozen=True)
class Clock:
    """A clock's bounds and its rate in MHz."""

    least_mhz: float
    most_mhz: float
    now_mhz: float

    @property
    def locked(self) -> bool:
        """Whether it stands at its highest rate, as ``jetson_clocks`` sets it."""
        return self.least_mhz == self.most_mhz


_CLOCK = re.compile(r"^(cpu\d+|GPU|EMC)\b:?.*?MinFreq=(\d+) MaxFreq=(\d+) CurrentFreq=(\d+)", re.MULTILINE)


def parse_jetson_clocks(text: str | None) -> dict[str, Clock]:
    """Clocks by name (``cpu0``, ``GPU``, ``EMC``) from ``jetson_clocks --show``; cores that are off are left out.

    Cores are printed in kHz, GPU and EMC in Hz.
    """
    clocks = {}
    for found in _CLOCK.finditer(text or ""):
        if "Online=0" in found.group(0):
            continue
        per_mhz = 1e3 if found.group(1).startswith("cpu") else 1e6
        clocks[found.group(1)] = Clock(*(int(value) / per_mhz for value in found.groups()[1:]))
    return clocks


def parse_tegra_release(text: str) -> str | None:
    """Jetson Linux's release, such as ``36.4.3``, from /etc/nv_tegra_release.

    Source: the file's own form, ``# R36 (release), REVISION: 4.3, GCID: ..., BOARD: generic, ...``.
    """
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{found.group(1)}.{found.group(2)}" if found else None
