"""Power sampled beside a measurement: NVML in a thread, or tegrastats in a process of its own."""

from __future__ import annotations

import subprocess
import time
from threading import Event, Thread
from typing import IO, Any, Protocol

from edgeseg.deploy.benchmark import nvml
from edgeseg.deploy.jetson import TegraSample, parse_tegrastats

NVML_INTERVAL_S = 0.05


class Sampler(Protocol):
    """Takes samples from ``start`` to ``stop``.

    Attributes:
        source: Of the samples.
        covers: What the power is of.
        trouble: Why there are none, or None.
    """

    source: str
    covers: str | None
    trouble: str | None

    def start(self) -> None:
        """Begins anew."""
        ...

    def stop(self) -> None:
        """Ends."""
        ...

    def samples(self) -> tuple[list[float], list[float]]:
        """Times by ``time.perf_counter`` and watts."""
        ...

    def details(self) -> dict[str, Any]:
        """What else was seen, plain data."""
        ...


class NvmlSampler:
    """A GPU's power, for those before Volta, which do not count their energy."""

    source = "nvml"
    covers: str | None = "GPU board"
    trouble: str | None = None

    def __init__(self) -> None:
        self._times: list[float] = []
        self._watts: list[float] = []
        self._ended = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begins anew."""
        self._times, self._watts = [], []
        self._ended.clear()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with nvml.opened() as found:
            while found is not None and not self._ended.is_set():
                module, gpu = found
                try:
                    watts = module.nvmlDeviceGetPowerUsage(gpu) / 1000
                except module.NVMLError as error:
                    self.trouble = f"NVML does not tell this GPU's power ({error})"
                    return
                self._times.append(time.perf_counter())
                self._watts.append(watts)
                self._ended.wait(NVML_INTERVAL_S)

    def stop(self) -> None:
        """Ends."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def samples(self) -> tuple[list[float], list[float]]:
        """Times by ``time.perf_counter`` and watts."""
        return self._times, self._watts

    def details(self) -> dict[str, Any]:
        """Nothing more."""
        return {}


class TegrastatsSampler:
    """A Jetson's rails, clock and memory by tegrastats.

    Args:
        command: The tool, which prints a line every now and then until it is ended.
    """

    source = "tegrastats"
    covers: str | None = None
    trouble: str | None = None

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._thread: Thread | None = None
        self._taken: list[tuple[float, TegraSample]] = []

    def start(self) -> None:
        """Begins anew."""
        self._taken = []
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._thread = Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._thread.start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._taken.append((time.perf_counter(), parse_tegrastats(line)))

    def stop(self) -> None:
        """Ends."""
        if self._process is not None and self._thread is not None:
            self._process.terminate()
            self._thread.join()
            self._process.wait()

    def samples(self) -> tuple[list[float], list[float]]:
        """Times by ``time.perf_counter`` and watts of the module."""
        known = [(at, total) for at, sample in self._taken if (total := sample.total_w()) is not None]
        if known:
            self.covers = known[-1][1][1]
        elif self._taken:
            rails = ", ".join(self._taken[-1][1].rails_mw) or "none"
            self.trouble = f"tegrastats names no rail of the whole module (it has: {rails})"
        return [at for at, _ in known], [watts for _, (watts, _) in known]

    def details(self) -> dict[str, Any]:
        """Slowest and quickest GPU clock, hottest reading of each sensor, most memory of the module in use."""
        samples = [sample for _, sample in self._taken]
        clocks = [s.gpu_mhz for s in samples if s.gpu_mhz is not None]
        memory = [s.ram_mb for s in samples if s.ram_mb is not None]
        sensors = sorted({name for s in samples for name in s.temperature_c})
        return {
            "gpu_mhz": [min(clocks), max(clocks)] if clocks else None,
            "hottest_c": {name: max(s.temperature_c.get(name, -273.0) for s in samples) for name in sensors},
            "module_ram_mb": max(memory) if memory else None,
        }
