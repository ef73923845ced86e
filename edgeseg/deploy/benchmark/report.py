"""What a benchmark says: rows, tables, and "not measured" wherever nothing was."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import DataError

FORMAT = 2
"""Of the report; what a figure means changes with it, so reports of different formats are not compared."""
NOT_MEASURED = "not measured"
Cell = str | float | int
Table = tuple[str, tuple[str, ...], list[tuple[Cell, ...]]]

IDENTITY = ("model", "backend", "precision", "size", "frame", "threads", "batch", "model_digest")
MEASURED = (
    *("latency_ms", "p99_minus_p50_ms", "variation", "p50_interval_ms", "throughput_fps", "pipelined_fps"),
    *("decode_ms", "preprocess_ms", "transfer_ms", "network_ms", "enqueue_ms", "scoring_ms"),
    *("peak_memory_mb", "device_memory_mb", "joules_per_frame", "energy", "conditions", "miou"),
)
_LATENCY = ("min", "mean", "p50", "p90", "p95", "p99", "max")
_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((f"{name} ms", ("latency_ms", name)) for name in _LATENCY),
    ("p99−p50 ms", ("p99_minus_p50_ms",)),
    ("variation", ("variation",)),
    ("frames/s", ("throughput_fps",)),
    ("pipelined frames/s", ("pipelined_fps",)),
    ("decode jpg ms", ("decode_ms", "jpg")),
    ("decode png ms", ("decode_ms", "png")),
    ("preprocess ms", ("preprocess_ms",)),
    ("transfer ms", ("transfer_ms",)),
    ("network ms", ("network_ms",)),
    ("scoring ms", ("scoring_ms",)),
    ("peak MB", ("peak_memory_mb",)),
    ("J/frame", ("joules_per_frame",)),
    ("mIoU", ("miou",)),
)
_BESIDE = 4
"""Models beside each other on a screen."""
_NAMES = ("model", "backend", "precision", "size", "threads")


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        format: ``FORMAT``.
        machine: As ``describe_machine`` gives it, with ``gpus``, ``cuda``, ``jetson``, ``virtual``, ``edgeseg``.
        rows: Plain data. What runs: ``model``, ``backend``, ``precision``, ``size`` (HxW of the network), ``frame``,
            ``frames_from``, ``threads`` (null: the runtime's choice), ``batch``, ``model_digest``. How quickly:
            ``latency_ms`` (min, mean, p50, p90, p95, p99, max of a call: frame in host memory to outputs in host
            memory, transfers inside), ``p50_interval_ms`` (95 %), ``p99_minus_p50_ms``, ``variation`` (standard
            deviation over mean), ``throughput_fps`` (closed loop), ``pipelined_fps`` and ``pipelined_by``. Where
            the time goes, medians: ``decode_ms`` (by codec, from memory; not in the latency), ``preprocess_ms``
            and ``preprocess_by`` (``clock``, or ``runtime profile`` where it is inside the graph), ``transfer_ms``
            (0 where the runtime works in host memory), ``network_ms``, ``enqueue_ms`` (GPU), ``scoring_ms`` and
            ``strategy`` (not in the latency). What it takes: ``peak_memory_mb`` (resident, of the whole process),
            ``device_memory_mb``, ``joules_per_frame``, ``energy`` (source, covers, watts, idle_watts, ...). How it
            was measured: ``iterations``, ``warm_up`` (calls), ``warm_up_s``, ``steady``, ``busy_share`` (others'
            load before the row), ``others_share`` (during), ``conditions`` (``before``, ``after``). How good it
            is: ``miou`` of this very file, ``miou_images``. ``warnings``: why not to trust it, and what to do.
            ``not_measured``: key → reason, for every null of a figure.
    """

    format: int
    machine: dict[str, Any]
    rows: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "rows": [dict(row) for row in self.rows]}

    def tables(self) -> list[Table]:
        """Title, columns and rows of what a person reads: figures downwards, a few models beside each other."""
        headings, lines = _table(_COLUMNS, self.rows)
        title = f"Measured on {machine_name(self.machine)}"
        parts = [lines[start : start + _BESIDE] for start in range(0, len(lines), _BESIDE)]
        names = len(_NAMES)
        return [
            (title, ("", *(_heading(line[:names]) for line in part)), _turned(headings[names:], part, names))
            for part in parts
        ]

    def markdown(self) -> str:
        """Both tables, the warnings, and why cells are empty."""
        return markdown([self])


def machine_name(machine: dict[str, Any]) -> str:
    """A machine in few words."""
    jetson, gpus = machine.get("jetson"), machine.get("gpus") or ()
    if jetson and jetson.get("model"):
        jetpack = f", JetPack {jetson['jetpack']}" if jetson.get("jetpack") else ""
        return f"{jetson['model']}{jetpack} ({jetson.get('power_mode') or 'power mode unknown'})"
    cpu = f"{machine['cpu']}, {machine['usable_cores']} cores"
    return ", ".join([cpu, *(gpu["name"] for gpu in gpus)])


def unmeasured_row(model: str, backend: str | None, why: str, precision: str | None = None) -> dict[str, Any]:
    """A row of nothing but reasons."""
    named = {"model": model, "backend": backend, "precision": precision}
    return {
        **dict.fromkeys((*IDENTITY, *MEASURED)),
        **named,
        "warnings": [],
        "not_measured": dict.fromkeys(MEASURED, why),
    }


def read_report(path: Path) -> BenchReport:
    """Reads what ``edgeseg bench --out`` wrote.

    Raises:
        DataError: The file is missing, or no report of this version.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"{path}: no such report; edgeseg bench MODEL --out {path} writes one") from None
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error}); edgeseg bench MODEL --out FILE writes a report") from None
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        found = plain.get("format") if isinstance(plain, dict) else None
        raise DataError(f"{path}: is no benchmark report of format {FORMAT} (found: {found}); measure again")
    try:
        return BenchReport(FORMAT, dict(plain["machine"]), tuple(dict(row) for row in plain["rows"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: lacks machine or rows ({error!r}); measure again") from None


def markdown(reports: Sequence[BenchReport], targets: Sequence[str] = ()) -> str:
    """Rows of several machines as Markdown tables, one for the speed and one for the rest.

    Args:
        reports: What was measured.
        targets: Names of machines that shall stand in the table whether they were measured or not; one whose words
            no report's machine has all in its name gets a row for each model and precision, "not measured" cell by
            cell.
    """
    rows = [{**row, "machine": machine_name(report.machine)} for report in reports for row in report.rows]
    rows += [row for target in targets for row in _absent(target, rows)]
    texts = [_markdown_table(_COLUMNS[:11], rows), _markdown_table(_COLUMNS[11:], rows)]
    notes = [f"- {_named(row)}: {text}" for row in rows for text in row["warnings"]]
    reasons = sorted({f"- {key}: {why}" for row in rows for key, why in row["not_measured"].items()})
    if notes:
        texts.append("Not to be trusted without a second look:\n\n" + "\n".join(notes) + "\n")
    if reasons:
        texts.append(f"Why cells say “{NOT_MEASURED}”:\n\n" + "\n".join(reasons) + "\n")
    return "\n".join(texts)


def _absent(target: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    words = set(_words(target))
    if any(words <= set(_words(row["machine"])) for row in rows):
        return []
    kinds = dict.fromkeys((Path(row["model"]).stem.split(".")[0], row["precision"]) for row in rows)
    why = f"nothing was run on {target}"
    return [{**unmeasured_row(name, None, why, precision), "machine": target} for name, precision in kinds]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _named(row: dict[str, Any]) -> str:
    return f"{Path(row['model']).name} by {row['backend']} on {row['machine']}"


def _markdown_table(columns: Sequence[tuple[str, tuple[str, ...]]], rows: Sequence[dict[str, Any]]) -> str:
    headings, cells = _table(columns, rows)
    lines = [("machine", *headings), ("---",) * (1 + len(headings))]
    lines += [(row["machine"], *map(_text, line)) for row, line in zip(rows, cells, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _table(
    columns: Sequence[tuple[str, tuple[str, ...]]], rows: Sequence[dict[str, Any]]
) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    headings = (*_NAMES, *(heading for heading, _ in columns))
    return headings, [(*_names(row), *(_figure(row, path) for _, path in columns)) for row in rows]


def _heading(names: tuple[Cell, ...]) -> str:
    model, *kind, threads = names
    return "\n".join([str(model), " ".join(map(str, kind)), f"threads: {threads}"])


def _turned(headings: Sequence[str], lines: Sequence[tuple[Cell, ...]], skip: int) -> list[tuple[Cell, ...]]:
    return [(heading, *(line[skip + place] for line in lines)) for place, heading in enumerate(headings)]


def _names(row: dict[str, Any]) -> tuple[Cell, ...]:
    known = (row[name] for name in _NAMES[1:-1])
    threads = row["threads"] if row["threads"] is not None else "own" if row["size"] else "–"
    return (Path(row["model"]).name, *("–" if value is None else value for value in known), threads)


def _figure(row: dict[str, Any], path: tuple[str, ...]) -> Cell:
    value: Any = row
    for key in path:
        value = None if value is None else value.get(key)
    return NOT_MEASURED if value is None else value


def _text(cell: Cell) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
