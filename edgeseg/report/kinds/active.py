"""Active learning: the folder or JSON of ``edgeseg active run``."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeseg.report import plots
from edgeseg.report.kinds.base import Found, Run, count_of, points, read_json, shown
from edgeseg.report.page import Section, Table, Tiles

KEYS = ("strategy", "seed", "round", "labeled_pixels", "labeled_share", "clicks", "miou")
CHANCE, FULL = "random", ("full", "all labels")
"""Strategies that the others are held against: drawn by lot, and everything labeled."""
Rows = Sequence[Mapping[str, Any]]
Means = dict[str, dict[int, tuple[float, float, list[float]]]]
"""Strategy → round → mean share of labeled pixels, mean mIoU, mIoU of each seed."""


class ActiveKind:
    """See the module."""

    name = "active learning"
    looks_like = "the folder or JSON of edgeseg active run"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return bool(_document(found))

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        document = _document(found)
        rows, settings = document["rows"], document.get("settings") or {}
        means = _means(rows)
        last = {name: rounds[max(rounds)] for name, rounds in means.items()}
        return Run(
            kind="active learning",
            name=found.name.removesuffix(".json"),
            lead=f"{count_of(len(means), 'strategy')}, "
            f"{count_of(len({row['seed'] for row in rows}), 'seed')}, "
            f"{count_of(len({row['round'] for row in rows}), 'round')}.",
            sections=(
                Section("Figures", "", (Tiles(tuple(_tiles(last))), _by_share(means))),
                Section("Round by round", "mIoU, mean over the seeds, ± their standard deviation.", (_table(means),)),
                Section("Where it ended", "", (_bars(last), _by_seed(rows))),
            ),
            warnings=(*_warnings(rows, last), *_losses(means)),
            summary=tuple(_summary(last)),
            facts=(
                ("data", settings.get("data")),
                ("reported on", settings.get("val")),
                ("rounds", len({row["round"] for row in rows})),
                ("seeds", len({row["seed"] for row in rows})),
            ),
            basis={
                "data": shown(settings.get("data")),
                "reported on": shown(settings.get("val")),
                "seeds": str(sorted({row["seed"] for row in rows})),
                "share labeled": _shares(last),
            },
            settings=settings,
            figures={f"mIoU of {name}, last round": mean for name, (_, mean, _) in last.items()},
        )


def _document(found: Found) -> Mapping[str, Any]:
    """The file, or the first in the folder, that has such rows; {} where none has."""
    documents = (read_json(p) for p in sorted(found.path.glob("*.json"))) if found.path.is_dir() else [found.document]
    for document in documents:
        rows = document.get("rows")
        if isinstance(rows, list) and rows and all(isinstance(r, dict) and r.keys() >= set(KEYS) for r in rows):
            return document
    return {}


def _means(rows: Rows) -> Means:
    groups: dict[str, dict[int, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["miou"] is not None:
            groups[str(row["strategy"])][int(row["round"])].append(row)
    return {
        name: {
            number: (
                statistics.fmean(row["labeled_share"] for row in group),
                statistics.fmean(row["miou"] for row in group),
                [row["miou"] for row in group],
            )
            for number, group in sorted(rounds.items())
        }
        for name, rounds in groups.items()
    }


def _spread(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _is_full(name: str) -> bool:
    return name.startswith(FULL)


def _chosen(last: Mapping[str, Any]) -> dict[str, tuple[float, float, list[float]]]:
    return {name: found for name, found in last.items() if name != CHANCE and not _is_full(name)}


def _warnings(rows: Rows, last: Mapping[str, tuple[float, float, list[float]]]) -> Iterator[str]:
    if len({row["seed"] for row in rows}) < 2:
        yield "one seed: what is chance cannot be told"
    chosen = _chosen(last)
    if CHANCE not in last:
        yield "strategy random is not there, so nothing says that choosing is worth it"
    elif chosen:
        best = max(chosen, key=lambda name: chosen[name][1])
        gain = chosen[best][1] - last[CHANCE][1]
        spread = max((s for s in (_spread(chosen[best][2]), _spread(last[CHANCE][2])) if s is not None), default=None)
        if gain <= 0:
            yield f"no strategy beats random: {best} is {-100 * gain:.1f} points below it"
        elif spread is not None and gain < spread:
            yield f"{best} beats random by {100 * gain:.1f} points, less than the seeds' spread of {100 * spread:.1f}"
    losers = [name for name, found in chosen.items() if CHANCE in last and found[1] < last[CHANCE][1]]
    if losers and len(losers) < len(chosen):
        yield f"below random: {', '.join(losers)}"


def _losses(means: Means) -> Iterator[str]:
    """Strategies whose labels made the model worse than it was before any were asked for."""
    fell = {
        name: 100 * (rounds[min(rounds)][1] - rounds[max(rounds)][1])
        for name, rounds in means.items()
        if rounds[max(rounds)][1] < rounds[min(rounds)][1]
    }
    if fell:
        told = ", ".join(f"{name} by {points:.1f}" for name, points in fell.items())
        yield (
            f"ended below where they began, in points: {told}; where frames are completed with what the model says, "
            "try --rest ignore, else more epochs a round"
        )


def _summary(last: Mapping[str, tuple[float, float, list[float]]]) -> Iterator[str]:
    chosen = _chosen(last)
    if not chosen:
        return
    best = max(chosen, key=lambda name: chosen[name][1])
    share, miou, _ = chosen[best]
    yield f"Best is {best}: mIoU {points(miou)} with {share:.1%} of the pixels labeled."
    if CHANCE in last:
        yield f"Random reaches {points(last[CHANCE][1])}: {100 * (miou - last[CHANCE][1]):+.1f} points."
    full = next((found for name, found in last.items() if _is_full(name)), None)
    if full:
        yield f"All labels give {points(full[1])}, so {best} reaches {miou / full[1]:.1%} of full supervision."


def _tiles(last: Mapping[str, tuple[float, float, list[float]]]) -> Iterator[tuple[str, str, str]]:
    ranked = sorted(last.items(), key=lambda row: -row[1][1])
    for name, (share, miou, _) in ranked[:4]:
        yield name, points(miou), f"{share:.1%} of the pixels"


def _by_share(means: Means) -> Any:
    series = {
        name: ([100 * share for share, _, _ in rounds.values()], [100 * miou for _, miou, _ in rounds.values()])
        for name, rounds in means.items()
        if not _is_full(name)
    }
    # All labels are far to the right; a line tells where the others are bound for.
    ends = [share for shares, _ in series.values() for share in shares]
    for name, rounds in means.items():
        if _is_full(name):
            _, miou, _ = rounds[max(rounds)]
            series[name] = ([min(ends, default=0.0), max(ends, default=100.0)], [100 * miou] * 2)
    alt = "mIoU over the share of labeled pixels for every strategy"
    return plots.curves(series, "labeled pixels, %", "mIoU, %", alt, "Mean over the seeds.")


def _table(means: Means) -> Table:
    rounds = sorted({number for found in means.values() for number in found})
    rows = tuple((name, *(_cell(found.get(number)) for number in rounds)) for name, found in means.items())
    return Table(("strategy", *(f"round {number}" for number in rounds)), rows)


def _cell(found: tuple[float, float, list[float]] | None) -> str | None:
    if found is None:
        return None
    spread = _spread(found[2])
    return f"{100 * found[1]:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")


def _bars(last: Mapping[str, tuple[float, float, list[float]]]) -> Any:
    names = sorted(last, key=lambda name: -last[name][1])
    most = max(len(found[2]) for found in last.values())
    groups = {
        f"run {number + 1}": [100 * v[number] if number < len(v := last[name][2]) else None for name in names]
        for number in range(most)
    }
    return plots.bars(names, groups, "mIoU, %", "mIoU of every run after the last round")


def _by_seed(rows: Rows) -> Table:
    lines = tuple(
        (r["strategy"], r["seed"], r["round"], r["labeled_pixels"], r["labeled_share"], r["clicks"], r["miou"])
        for r in rows
    )
    return Table(KEYS, lines, "Every row")


def _shares(last: Mapping[str, tuple[float, float, list[float]]]) -> str:
    return ", ".join(sorted({f"{share:.1%}" for name, (share, _, _) in last.items() if not _is_full(name)}))
