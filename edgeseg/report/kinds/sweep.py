"""A sweep's folder: every trial, and what the settings do."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg import config
from edgeseg.report.kinds.base import Found, Run, count_of, flat, points, read_json, shown
from edgeseg.report.page import Block, Facts, Figure, Section, Table, Tiles

EDGE = 0.02
"""Share of a range, at either end, that is called its edge."""
TRIALS, SETTINGS, PLOT = "trials.json", "sweep.yaml", "sweep.png"


class SweepKind:
    """See the module."""

    name = "a sweep"
    looks_like = f"a folder with {TRIALS} and {SETTINGS}"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.has(TRIALS, SETTINGS)

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain, settings = read_json(found.path / TRIALS), config.read_mapping(found.path / SETTINGS)
        base, best = settings.get("base", {}), plain["best"]
        blocks: list[Block] = [Tiles(tuple(_tiles(plain))), *_plot(found)]
        return Run(
            kind="sweep",
            name=found.name,
            lead=f"{count_of(plain['trials'], 'trial')} of {plain['method']} {plain['network']}, "
            f"{count_of(len(plain['seeds']), 'seed')} each.",
            sections=(
                Section("Figures", "", tuple(blocks)),
                Section("Trials", "The best first.", (_table(plain),)),
                Section("Settings of the sweep", "", (_facts(settings),)),
            ),
            warnings=tuple(_warnings(plain, settings)),
            summary=tuple(_summary(plain)),
            facts=(("data", base.get("data")), ("held out", base.get("val")), ("network", plain["network"])),
            basis={"data": shown(base.get("data")), "held out": shown(base.get("val"))},
            settings=settings,
            figures={"best mIoU": best["miou"] if best else None, "trials": plain["trials"], "failed": plain["failed"]},
        )


def _warnings(plain: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    if plain["failed"]:
        why = next(row["error"] for row in plain["rows"] if row["miou"] is None)
        yield f"{plain['failed']} of {count_of(plain['trials'], 'trial')} failed, the first with: {why}"
    done = sorted((row for row in plain["rows"] if row["miou"] is not None), key=lambda row: -float(row["miou"]))
    if len(done) > 1:
        yield from _close(done[0], done[1], len(plain["seeds"]))
    for name, choices in (settings.get("space") or {}).items():
        yield from _at_the_edge(name, choices, plain["best"])


def _close(first: Mapping[str, Any], second: Mapping[str, Any], seeds: int) -> Iterator[str]:
    if seeds < 2:
        yield "one seed a trial: what is chance cannot be told; give more seeds"
    elif first["miou"] - second["miou"] < max(first["spread"] or 0.0, second["spread"] or 0.0):
        yield (
            f"the best trial ({points(first['miou'])}) and the next ({points(second['miou'])}) are nearer to each "
            "other than the seeds' spread: which one is better is not known"
        )


def _at_the_edge(name: str, choices: Any, best: Mapping[str, Any] | None) -> Iterator[str]:
    if best is None or not isinstance(choices, Mapping):
        return
    ends = [choices.get("low"), best["settings"].get(name), choices.get("high")]
    if any(not isinstance(end, int | float) for end in ends):
        return
    low, value, high = (math.log(end) if choices.get("log") else float(end) for end in ends)
    margin = EDGE * (high - low)
    if not low + margin <= value <= high - margin:
        yield f"the best {name} ({shown(ends[1])}) lies at the edge of what was searched; widen its range"


def _summary(plain: Mapping[str, Any]) -> Iterator[str]:
    if best := plain["best"]:
        told = ", ".join(f"{name} {shown(value)}" for name, value in best["settings"].items())
        yield f"Best is trial {best['trial']} with {told}: mIoU {points(best['miou'])}."
        yield "It was chosen on that mIoU, so train with best.yaml and evaluate on other data before you report it."


def _tiles(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if best := plain["best"]:
        spread = f"± {100 * best['spread']:.1f} points" if best["spread"] is not None else ""
        yield "best mIoU, held out", points(best["miou"]), spread
    yield "trials", str(plain["trials"]), f"{plain['failed']} failed"


def _plot(found: Found) -> Iterator[Figure]:
    if found.has(PLOT):
        content = base64.b64encode((found.path / PLOT).read_bytes()).decode()
        yield Figure(f"data:image/png;base64,{content}", "mIoU over each searched setting", "A point a trial.")


def _table(plain: Mapping[str, Any]) -> Table:
    rows = sorted(plain["rows"], key=lambda row: (row["miou"] is None, -(row["miou"] or 0.0)))
    names = list(rows[0]["settings"]) if rows else []
    lines = tuple(
        (row["trial"], *(shown(row["settings"][name]) for name in names), row["miou"], row["spread"], row["error"])
        for row in rows
    )
    return Table(("trial", *names, "mIoU", "spread", "error"), lines, decimals=4, strong=(0,) if plain["best"] else ())


def _facts(settings: Mapping[str, Any]) -> Facts:
    return Facts(tuple((name, shown(value)) for name, value in flat(settings).items()))
