"""A latency report of ``edgeseg bench``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg.deploy.benchmark.report import BenchReport, machine_name, read_report
from edgeseg.report import plots
from edgeseg.report.kinds.base import Found, Run, count_of, machine_facts, unique
from edgeseg.report.page import Block, Section, Table
from edgeseg.report.pareto import points_of

PERCENTILES = ("p50", "p90", "p99")


class BenchKind:
    """See the module."""

    name = "a benchmark"
    looks_like = "the JSON of edgeseg bench"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        rows = found.document.get("rows")
        return found.says("format", "machine", "rows") and isinstance(rows, list) and all("backend" in r for r in rows)

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        report = read_report(found.path)
        rows = dict(zip(_names(report.rows), report.rows, strict=True))
        timed = {name: row for name, row in rows.items() if row["latency_ms"] is not None}
        frames = sorted({str(row["frame"]) for row in timed.values()})
        return Run(
            kind="benchmark",
            name=found.name.removesuffix(".json"),
            lead=f"{len(timed)} of {len(rows)} rows timed on {machine_name(report.machine)}.",
            sections=(*_latency(timed), _tables(report), _unmeasured(rows)),
            warnings=tuple(_warnings(rows)),
            summary=tuple(_summary(timed)),
            facts=machine_facts(report.machine),
            basis={"machine": machine_name(report.machine), "frame": ", ".join(frames)},
            settings={name: _identity(row) for name, row in rows.items()},
            figures={f"{name}, p50, ms": row["latency_ms"]["p50"] for name, row in timed.items()},
        )


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One name a row that no other has."""
    names = []
    for row in rows:
        threads = count_of(row["threads"], "thread") if row.get("threads") else None
        parts = (Path(row["model"]).name, row["backend"], row["precision"], row["size"], threads)
        names.append(" ".join(str(part) for part in parts if part))
    return unique(names)


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in ("model_digest", "precision", "size", "frame", "threads", "batch")}


def _warnings(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each warning once, with the rows that it is of."""
    texts = dict.fromkeys(text for row in rows.values() for text in row["warnings"])
    for text in texts:
        names = [name for name, row in rows.items() if text in row["warnings"]]
        yield f"{text} ({'every row' if len(names) == len(rows) > 1 else ', '.join(names)})"


def _summary(timed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not timed:
        yield "Nothing was timed."
        return
    quickest = min(timed, key=lambda name: timed[name]["latency_ms"]["p50"])
    latency = timed[quickest]["latency_ms"]
    yield f"Quickest is {quickest}: {latency['p50']:.1f} ms (median), {latency['p99']:.1f} ms in the worst hundredth."
    trusted = [name for name, row in timed.items() if not row["warnings"]]
    if len(trusted) < len(timed):
        yield f"{len(timed) - len(trusted)} of {len(timed)} rows carry warnings; compare them with nothing."


def _latency(timed: Mapping[str, Mapping[str, Any]]) -> Iterator[Section]:
    if not timed:
        return
    groups = {p: [row["latency_ms"][p] for row in timed.values()] for p in PERCENTILES}
    blocks: list[Block] = [plots.bars(list(timed), groups, "ms for one frame", "Latency of every row")]
    points = {p.name: (p.latency_ms, p.miou) for p in points_of([{"rows": list(timed.values())}])}
    if len(points) > 1:
        caption = "Up and to the left is better; the dashed line joins what nothing beats in both."
        blocks.append(plots.pareto(points, "ms (median)", "mIoU", "mIoU over latency", caption))
    yield Section("Latency", "One frame at a time, from host memory to host memory.", tuple(blocks))


def _tables(report: BenchReport) -> Section:
    tables = [Table((headings[0] or "figure", *headings[1:]), tuple(rows)) for _, headings, rows in report.tables()]
    return Section("All figures", "", tuple(tables))


def _unmeasured(rows: Mapping[str, Mapping[str, Any]]) -> Section:
    reasons = sorted({(key, str(why)) for row in rows.values() for key, why in row["not_measured"].items()})
    if not reasons:
        return Section("Not measured", "Everything was measured.")
    return Section("Not measured", "", (Table(("figure", "why"), tuple(reasons)),))
