"""Two reports side by side, where they were measured under like conditions; otherwise a refusal that names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg.deploy.benchmark.report import BenchReport
from edgeseg.errors import ConfigError, DataError

MACHINE = ("cpu", "usable_cores", "cpu_limit", "os", "gpus", "virtual")
STATE = ("governor", "power_mode", "clocks_locked")
ROW = ("size", "frame", "frames_from", "batch", "threads", "strategy", "miou_images", "timing")
CONDITIONS = ("machine", *STATE, *ROW)
"""What has to be equal. Model, backend, precision and versions of packages may differ: they are what is compared."""
IDENTITY = ("model", "backend", "precision")


@dataclass(frozen=True)
class Pair:
    """Two rows of like conditions.

    Attributes:
        a, b: What was measured: model, backend and precision.
        size: HxW of the network.
        threads: Of the network.
        p50_ms, p99_ms, throughput_fps, joules_per_frame, peak_memory_mb, miou: Of A and of B, None where not measured.
        speedup: p50 of A over p50 of B; above 1, B is quicker.
        told_apart: Whether the intervals of the two medians leave each other, None where a report has none.
        warnings: Of both rows.
    """

    a: str
    b: str
    size: str | None
    threads: int | None
    p50_ms: tuple[float | None, float | None]
    p99_ms: tuple[float | None, float | None]
    throughput_fps: tuple[float | None, float | None]
    joules_per_frame: tuple[float | None, float | None]
    peak_memory_mb: tuple[float | None, float | None]
    miou: tuple[float | None, float | None]
    speedup: float | None
    told_apart: bool | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What two reports say beside each other.

    Attributes:
        pairs: Rows of like conditions.
        allowed: Conditions that differ with the caller's leave, with both values.
        unpaired: Rows that the other report has no like of.
    """

    pairs: tuple[Pair, ...]
    allowed: dict[str, tuple[Any, Any]]
    unpaired: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    def table(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of what a person reads."""
        columns = ("A", "B", "size", "threads", "p50 ms", "p99 ms", "B quicker by", "told apart", "ΔmIoU, points")
        return columns, [_line(pair) for pair in self.pairs]


def compare(a: BenchReport, b: BenchReport, allow: Sequence[str] = ()) -> Comparison:
    """Pairs the rows of two reports.

    Rows are paired by model, backend, precision and conditions; where a report has one row of some conditions, and so
    has the other, they are paired whatever ran in them.

    Args:
        a: The reference.
        b: What is held against it.
        allow: Names of ``CONDITIONS`` that may differ.

    Raises:
        ConfigError: ``allow`` names what is no condition.
        DataError: Conditions differ; the message names each with both values.
    """
    unknown = sorted(set(allow) - set(CONDITIONS))
    if unknown:
        raise ConfigError(f"--allow {', '.join(unknown)}: choose from {', '.join(CONDITIONS)}")
    rows_a, rows_b = [_conditioned(a, row) for row in a.rows], [_conditioned(b, row) for row in b.rows]
    found = list(_pairs(rows_a, rows_b, tuple(allow)))
    if not found:
        raise DataError(_refusal(rows_a, rows_b, tuple(allow)))
    allowed = {
        name: (one["conditions_"][name], other["conditions_"][name])
        for one, other in found
        for name in allow
        if one["conditions_"][name] != other["conditions_"][name]
    }
    paired = {id(row) for pair in found for row in pair}
    alone = tuple(_label(row) for row in (*rows_a, *rows_b) if id(row) not in paired)
    return Comparison(tuple(_pair(*pair) for pair in found), allowed, alone)


def _conditioned(report: BenchReport, row: dict[str, Any]) -> dict[str, Any]:
    before = (row.get("conditions") or {}).get("before") or {}
    conditions: dict[str, Any] = {"machine": {key: report.machine.get(key) for key in MACHINE}}
    conditions |= {name: before.get(name) for name in STATE} | {name: row.get(name) for name in ROW}
    return {**row, "conditions_": conditions}


def _pairs(
    rows_a: list[dict[str, Any]], rows_b: list[dict[str, Any]], allow: tuple[str, ...]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found, left = [], list(rows_b)
    for one in rows_a:
        like = [other for other in left if not _differences(one, other, allow)]
        same = [other for other in like if _identity(one) == _identity(other)]
        alone = len(like) == 1 and sum(not _differences(like[0], mine, allow) for mine in rows_a) == 1
        if same or alone:
            chosen = (same or like)[0]
            left.remove(chosen)
            found.append((one, chosen))
    return found


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return (Path(row["model"]).name, *(row[name] for name in IDENTITY[1:]))


def _differences(one: dict[str, Any], other: dict[str, Any], allow: tuple[str, ...] = ()) -> dict[str, tuple[Any, Any]]:
    first, second = one["conditions_"], other["conditions_"]
    return {n: (first[n], second[n]) for n in CONDITIONS if n not in allow and first[n] != second[n]}


def _refusal(rows_a: list[dict[str, Any]], rows_b: list[dict[str, Any]], allow: tuple[str, ...]) -> str:
    """Names the conditions of the two rows that are most alike."""
    if not rows_a or not rows_b:
        return "one of the reports has no rows; measure again"
    every = [_differences(one, other, allow) for one in rows_a for other in rows_b]
    nearest = min(every, key=len)
    if not nearest:
        return "the reports have several rows of like conditions and none of the same model; measure one model each"
    told = "; ".join(f"{name}: {_short(first, second)}" for name, (first, second) in nearest.items())
    return (
        f"A and B were not measured under like conditions ({told}); measure both alike, or say what the comparison is "
        f"about with --allow {' --allow '.join(nearest)}"
    )


def _short(first: Any, second: Any) -> str:
    if isinstance(first, dict) and isinstance(second, dict):
        return ", ".join(f"{key} {first[key]} and {second.get(key)}" for key in first if first[key] != second.get(key))
    return f"{first} and {second}"


def _label(row: dict[str, Any]) -> str:
    return " ".join(str(part) for part in _identity(row))


def _pair(a: dict[str, Any], b: dict[str, Any]) -> Pair:
    def both(*path: str) -> tuple[float | None, float | None]:
        return _at(a, path), _at(b, path)

    p50 = both("latency_ms", "p50")
    first, second = a.get("p50_interval_ms"), b.get("p50_interval_ms")
    return Pair(
        a=_label(a),
        b=_label(b),
        size=a["size"],
        threads=a["threads"],
        p50_ms=p50,
        p99_ms=both("latency_ms", "p99"),
        throughput_fps=both("throughput_fps"),
        joules_per_frame=both("joules_per_frame"),
        peak_memory_mb=both("peak_memory_mb"),
        miou=both("miou"),
        speedup=round(p50[0] / p50[1], 4) if p50[0] and p50[1] else None,
        told_apart=bool(first[0] > second[1] or second[0] > first[1]) if first and second else None,
        warnings=(*(f"A: {text}" for text in a["warnings"]), *(f"B: {text}" for text in b["warnings"])),
    )


def _at(row: dict[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = row
    for key in path:
        value = None if value is None else value.get(key)
    return None if value is None else float(value)


def _line(pair: Pair) -> tuple[Any, ...]:
    def beside(values: tuple[float | None, float | None]) -> str:
        return " → ".join("not measured" if value is None else f"{value:.4g}" for value in values)

    quicker = "not measured" if pair.speedup is None else f"{pair.speedup:.3f}×"
    apart = {None: "unknown", True: "yes", False: "no"}[pair.told_apart]
    gain = "not measured" if None in pair.miou else f"{100 * (pair.miou[1] or 0) - 100 * (pair.miou[0] or 0):+.2f}"
    return (pair.a, pair.b, pair.size, pair.threads, beside(pair.p50_ms), beside(pair.p99_ms), quicker, apart, gain)
