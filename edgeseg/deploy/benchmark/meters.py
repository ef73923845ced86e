"""Meters of energy, one class for each way in which machines tell it."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from edgeseg.deploy.benchmark import nvml
from edgeseg.deploy.benchmark.sampling import Sampler

REST_S = 1.0
LEAST_SAMPLES = 10
"""Fewer samples of power in a measurement say nothing about its energy."""


class Meter:
    """Counts joules between ``__enter__`` and ``__exit__``.

    Attributes:
        source: ``rapl``, ``nvml``, ``tegrastats`` or None.
        covers: What the joules are of, in words.
        joules: Of the last measurement, None where it could not be told.
        seconds: Its length.
        why: Why there is none, or None.
        details: Further figures of the last measurement, plain data.
    """

    source: str | None = None
    covers: str | None = None
    why: str | None = None
    joules: float | None = None
    seconds = 0.0

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}
        self._begin = 0.0

    def _start(self) -> None:
        """Begins to count."""

    def _stop(self) -> float | None:
        """Joules since ``_start``."""
        return None

    def __enter__(self) -> Meter:
        self._start()
        self._begin = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._begin
        self.joules = self._stop()

    def rest(self) -> float | None:
        """Watts of the resting machine, measured for ``REST_S``; None where there is no meter."""
        if self.source is None:
            return None
        with self:
            time.sleep(REST_S)
        return None if self.joules is None else self.joules / self.seconds


class NoMeter(Meter):
    """Stands where there is no meter, with the reason."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why


class RaplMeter(Meter):
    """Intel's and AMD's running average power limit: the processor's packages and, where counted, its memory.

    Args:
        domains: Folders of the top-level domains and of memory, each with ``energy_uj``.
    """

    source = "rapl"

    def __init__(self, domains: list[Path]) -> None:
        super().__init__()
        self._domains = domains
        self.covers = " + ".join(sorted((d / "name").read_text().strip() for d in domains))
        self._before: list[int] = []

    def _read(self) -> list[int]:
        return [int((domain / "energy_uj").read_text()) for domain in self._domains]

    def _start(self) -> None:
        self._before = self._read()

    def _stop(self) -> float:
        spans = [int((domain / "max_energy_range_uj").read_text()) for domain in self._domains]
        # The counters begin anew at the end of their range, every few minutes under load.
        moved = [(now - then) % span for now, then, span in zip(self._read(), self._before, spans, strict=True)]
        return sum(moved) / 1e6


class SampledMeter(Meter):
    """Energy from samples of power, by the trapezoid rule.

    Args:
        sampler: Takes the samples.
    """

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        self._sampler = sampler
        self.source = sampler.source

    def _start(self) -> None:
        self._sampler.start()

    def _stop(self) -> float | None:
        end = time.perf_counter()
        self._sampler.stop()
        times, watts = self._sampler.samples()
        self.covers, self.details = self._sampler.covers, self._sampler.details()
        if len(times) < LEAST_SAMPLES:
            missing = f"only {len(times)} samples of power by {self.source} in {self.seconds:.1f} s"
            self.why = self._sampler.trouble or f"{missing}; give more --iterations"
            return None
        return integrate(times, watts, self._begin, end)


class NvmlMeter(Meter):
    """The GPU's own counter of energy (since Volta)."""

    source, covers = "nvml", "GPU board"

    def _count_j(self) -> float | None:
        with nvml.opened() as found:
            if found is None:
                return None
            module, gpu = found
            try:
                return float(module.nvmlDeviceGetTotalEnergyConsumption(gpu)) / 1000
            except module.NVMLError:
                return None

    def _start(self) -> None:
        self._before = self._count_j()

    def _stop(self) -> float | None:
        now = self._count_j()
        return None if now is None or self._before is None else now - self._before

    def works(self) -> bool:
        """Whether this GPU has the counter."""
        return self._count_j() is not None


def integrate(times: list[float], watts: list[float], begin: float, end: float) -> float:
    """Joules between two times by the trapezoid rule; the first and last sample hold on to the ends.

    Args:
        times: Rising seconds.
        watts: Power at these times.
        begin: Seconds by the same clock.
        end: Likewise.
    """
    inside = [t for t in times if begin < t < end]
    grid = np.array([begin, *inside, end])
    power = np.interp(grid, times, watts)
    return float(np.sum((power[1:] + power[:-1]) / 2 * np.diff(grid)))
