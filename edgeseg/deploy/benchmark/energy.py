"""Energy of a measurement, by whatever meter the machine has; where it has none, the reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from edgeseg.deploy.benchmark import nvml
from edgeseg.deploy.benchmark.meters import Meter, NoMeter, NvmlMeter, RaplMeter, SampledMeter
from edgeseg.deploy.benchmark.sampling import NvmlSampler, TegrastatsSampler

POWERCAP = Path("/sys/class/powercap")


def open_meter(backend: str, powercap: Path = POWERCAP, tegrastats: str | None = None) -> Meter:
    """The meter that sees most of what a backend uses here; one that measures nothing where there is none.

    Args:
        backend: Name of the runtime; ``tensorrt`` works on the GPU.
        powercap: The kernel's folder of power domains.
        tegrastats: The tool's path, None to look for it.
    """
    tool = tegrastats or shutil.which("tegrastats")
    if tool:
        return SampledMeter(TegrastatsSampler((tool, "--interval", "50")))
    if backend == "tensorrt":
        meter = NvmlMeter()
        if meter.works():
            return meter
        with nvml.opened() as found:
            if found is not None:
                return SampledMeter(NvmlSampler())
        return NoMeter("NVML does not answer; install nvidia-ml-py and a driver: pip install 'edgeseg[tensorrt]'")
    return _rapl(powercap)


def _rapl(powercap: Path) -> Meter:
    named = [domain for domain in sorted(powercap.glob("intel-rapl:*")) if (domain / "name").exists()]
    wanted = [d for d in named if (d / "name").read_text().strip().startswith(("package", "dram"))]
    if not wanted:
        return NoMeter(
            f"no meter: {powercap} has no package domain (a virtual machine, or a processor without RAPL), and there "
            "is no tegrastats"
        )
    try:
        for domain in wanted:
            (domain / "energy_uj").read_text()
    except OSError:
        return NoMeter(f"RAPL's counters can be read by root alone: sudo chmod a+r {powercap}/*/energy_uj")
    return RaplMeter(wanted)


def reading(meter: Meter, idle_w: float | None, frames: int) -> dict[str, Any]:
    """What a row says of energy: ``joules_per_frame``, ``energy``, and the reason where there is none."""
    if meter.joules is None:
        why = meter.why or f"{meter.source} gave no energy"
        return {"joules_per_frame": None, "energy": None, "not_measured": {"joules_per_frame": why}}
    energy = {
        "source": meter.source,
        "covers": meter.covers,
        "watts": round(meter.joules / meter.seconds, 3),
        "idle_watts": None if idle_w is None else round(idle_w, 3),
        "seconds": round(meter.seconds, 3),
        **meter.details,
    }
    return {"joules_per_frame": round(meter.joules / frames, 5), "energy": energy, "not_measured": {}}
