"""What a sweep found: every trial as a row, in CSV, Markdown and JSON, and mIoU over each setting as a plot."""

from __future__ import annotations

import csv
import io
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from edgeseg import config
from edgeseg.files import write_atomic
from edgeseg.report.panels import Panel, write_panels
from edgeseg.students.sweep.settings import Range, SweepSettings

ERROR = "error"


@dataclass(frozen=True)
class TrialRow:
    """One finished trial.

    Attributes:
        trial: Its number, from 1.
        settings: Searched setting → value.
        miou: Mean over the seeds, None where it failed.
        spread: Standard deviation over the seeds (n - 1), None for fewer than two.
        by_seed: Seed → mIoU, of the trainings that were finished.
        error: Why it failed, or None.
    """

    trial: int
    settings: dict[str, Any]
    miou: float | None
    spread: float | None
    by_seed: dict[int, float]
    error: str | None


@dataclass(frozen=True)
class SweepResult:
    """All finished trials.

    Attributes:
        out: Folder of the sweep.
        method: ``train`` or ``distill``.
        network: What was trained.
        seeds: Seeds of every trial.
        rows: The trials, in order.
    """

    out: str
    method: str
    network: str
    seeds: tuple[int, ...]
    rows: tuple[TrialRow, ...]

    @property
    def best(self) -> TrialRow | None:
        """The trial with the highest mIoU, the earlier of equals; None where every one failed."""
        done = [row for row in self.rows if row.miou is not None]
        return max(done, key=lambda row: row.miou or 0.0) if done else None

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "out": self.out,
            "method": self.method,
            "network": self.network,
            "seeds": list(self.seeds),
            "trials": len(self.rows),
            "failed": sum(row.miou is None for row in self.rows),
            "best": asdict(self.best) if self.best else None,
            "rows": [asdict(row) for row in self.rows],
        }


def seed_key(seed: int) -> str:
    """Under which a trial keeps the mIoU of a seed."""
    return f"seed {seed}"


def row_of(trial: FrozenTrial, settings: SweepSettings) -> TrialRow:
    """The row of a finished trial."""
    values = {
        name: trial.params[name] if isinstance(choices, Range) else json.loads(trial.params[name])
        for name, choices in settings.space.items()
    }
    by_seed = {s: float(trial.user_attrs[seed_key(s)]) for s in settings.seeds if seed_key(s) in trial.user_attrs}
    spread = statistics.stdev(by_seed.values()) if len(by_seed) > 1 else None
    return TrialRow(trial.number + 1, values, trial.value, spread, by_seed, trial.user_attrs.get(ERROR))


def shown(value: Any) -> str:
    """A setting's value as a person reads it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write(result: SweepResult, out: Path) -> None:
    """Writes ``trials.csv``, ``trials.md`` and ``trials.json``.

    Raises:
        OutputError: The place cannot be written.
    """
    write_atomic(out / "trials.json", json.dumps(result.to_dict(), indent=2) + "\n")
    write_atomic(out / "trials.csv", _csv(result))
    write_atomic(out / "trials.md", _markdown(result))


def write_best(settings: SweepSettings, best: TrialRow, path: Path) -> None:
    """Writes the best trial's settings as a YAML that ``train`` or ``distill`` takes, with the first seed.

    Raises:
        OutputError: The place cannot be written.
    """
    config.write(settings.of_trial(best.settings, settings.seeds[0]), path)


def draw(result: SweepResult, settings: SweepSettings, out: Path) -> None:
    """Draws ``sweep.png``: mIoU over each searched setting, a point a trial.

    Raises:
        OutputError: The place cannot be written.
    """
    panels = [_panel(result, name, choices) for name, choices in settings.space.items()]
    write_panels(out / "sweep.png", panels, "mIoU on held-out data", _title(result))


def _panel(result: SweepResult, name: str, choices: Range | list[Any]) -> Panel:
    done = [row for row in result.rows if row.miou is not None]
    if isinstance(choices, list):
        done.sort(key=lambda row: choices.index(row.settings[name]))
    values = [row.settings[name] for row in done]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return Panel(
        name,
        values if numbers else [shown(value) for value in values],
        [row.miou or 0.0 for row in done],
        [row.spread or 0.0 for row in done],
        log=isinstance(choices, Range) and choices.log,
    )


def _title(result: SweepResult) -> str:
    failed = sum(row.miou is None for row in result.rows)
    seeds = f"{len(result.seeds)} seed" + ("s" if len(result.seeds) > 1 else "")
    trials = f"{len(result.rows)} trials" + (f" ({failed} failed)" if failed else "")
    return f"{result.method} {result.network}: {trials}, {seeds} each"


def _csv(result: SweepResult) -> str:
    names = list(result.rows[0].settings) if result.rows else []
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trial", *names, "miou", "spread", *(seed_key(seed) for seed in result.seeds), ERROR])
    for row in result.rows:
        seeds = [row.by_seed.get(seed) for seed in result.seeds]
        writer.writerow([row.trial, *(row.settings[name] for name in names), row.miou, row.spread, *seeds, row.error])
    return stream.getvalue()


def _markdown(result: SweepResult) -> str:
    names = list(result.rows[0].settings) if result.rows else []
    rows = sorted(result.rows, key=lambda row: -1.0 if row.miou is None else row.miou, reverse=True)
    lines = [
        _title(result) + ". mIoU of the best epoch on data held out of the training: chosen on, not to be reported.",
        "",
        _line(["trial", *names, "mIoU", "spread"]),
        "|" + "---|" * (len(names) + 3),
    ]
    for row in rows:
        miou = "failed" if row.miou is None else f"{row.miou:.4f}"
        spread = "–" if row.spread is None else f"{row.spread:.4f}"
        lines.append(_line([str(row.trial), *(shown(row.settings[name]) for name in names), miou, spread]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
