"""What a demonstration gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COLUMNS = ("model", "parameters", "mIoU", "pixel accuracy", "ECE", "ms (p50)", "runtime")


@dataclass(frozen=True)
class Step:
    """One model of the loop, evaluated on the test drive.

    Attributes:
        name: What it is.
        miou: Mean IoU on the test drive, None where nothing is labeled.
        iou: Class name → IoU.
        pixel_accuracy: Share of pixels predicted right.
        ece: Expected calibration error, None where only class maps are given.
        parameters: Number of weights, None for an ensemble or a graph.
        latency_ms: min, mean, p50, p90, p95, p99, max of one frame; {} where it was not timed.
        backend: Runtime that was timed, or "".
    """

    name: str
    miou: float | None
    iou: dict[str, float | None]
    pixel_accuracy: float | None
    ece: float | None = None
    parameters: int | None = None
    latency_ms: dict[str, float] = field(default_factory=dict)
    backend: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class DemoReport:
    """Outcome of the whole loop.

    Attributes:
        steps: Teachers, ensemble, students, exported graph, in this order.
        page: The HTML page.
        seconds: Step of the loop → seconds it took.
        flagged: Frames in the spool.
        cache_bytes: Size of the soft labels.
        machine: Description of the machine.
    """

    steps: tuple[Step, ...]
    page: Path
    seconds: dict[str, float]
    flagged: int
    cache_bytes: int
    machine: dict[str, Any]

    def table(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of what each step gave."""
        return COLUMNS, [
            (s.name, s.parameters, s.miou, s.pixel_accuracy, s.ece, s.latency_ms.get("p50"), s.backend or None)
            for s in self.steps
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**vars(self), "steps": [s.to_dict() for s in self.steps], "page": str(self.page)}
