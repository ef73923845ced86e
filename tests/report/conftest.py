"""Documents as commands wrote them, and small ones of which the answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.report.kinds import Run, read_run

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.fixture(scope="session")
def recorded() -> dict[str, dict[str, Any]]:
    """Reports of ``export`` and ``parity`` that are kept with the measurements, by step."""
    found: dict[str, dict[str, Any]] = json.loads((RESULTS / "precision" / "camvid-enet.json").read_text())["steps"]
    return found


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Run]:
    """Writes a document and reads it as a run."""

    def run(plain: dict[str, Any], name: str = "report.json") -> Run:
        path = tmp_path / name
        path.write_text(json.dumps(plain))
        return read_run(path)

    return run


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a training from its losses and validation mIoU."""

    def folder(name: str = "run", loss: object = (2.0, 1.0), miou: object = (), **settings: object) -> Path:
        path = tmp_path / name
        path.mkdir()
        values = list(loss), [*miou, *[None] * (len(list(loss)) - len(list(miou)))]  # type: ignore[call-overload]
        lines = [
            {"epoch": n, "loss": a, "ce": a, "images_per_s": 10.0, "learning_rate": 0.1, "miou": b}
            for n, (a, b) in enumerate(zip(*values, strict=True), 1)
        ]
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        plain = {"network": "enet", "data": "synthetic:4", "val": "synthetic:2#val", "height": 32, "width": 48}
        (path / "config.yaml").write_text(json.dumps({**plain, "epochs": len(lines), **settings}))
        return path

    return folder
