"""The tables of Kasarla 2019, chapter 3, from the rows of a run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from edgeseg.active.methods import title
from edgeseg.active.rows import ActiveReport, Row
from edgeseg.report.page import Table

FULL, RANDOM = "full", "random"


def strategies_of(report: ActiveReport) -> list[str]:
    """Strategies with rows, in the order of the run."""
    return list(dict.fromkeys(row.strategy for row in report.rows))


def rounds_of(report: ActiveReport) -> list[int]:
    """Rounds with rows."""
    return sorted({row.round for row in report.rows})


def by_seed(report: ActiveReport, strategy: str, number: int) -> dict[int, Row]:
    """Seed → row of a strategy after a round."""
    return {row.seed: row for row in report.rows if (row.strategy, row.round) == (strategy, number)}


def last_rows(report: ActiveReport, strategy: str) -> list[Row]:
    """Rows of the last round that every strategy has finished, one a seed; one without a round does not count."""
    reached = [max(r.round for r in report.rows if r.strategy == name) for name in strategies_of(report)]
    return list(by_seed(report, strategy, min(filter(None, reached), default=0)).values())


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def spread(values: Iterable[float | None]) -> float:
    """Standard deviation over seeds, 0 for one alone."""
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else 0.0


def text(values: Sequence[float | None], scale: float = 100, decimals: int = 1) -> str:
    """Mean, ± the standard deviation over seeds where there are several; a dash for nothing."""
    middle = mean(values)
    if middle is None:
        return "–"
    told = f"{scale * middle:.{decimals}f}"
    return told + (f" ± {scale * spread(values):.{decimals}f}" if len(values) > 1 else "")


def of_full(report: ActiveReport, strategy: str, number: int) -> list[float]:
    """Share of full supervision at the same iterations, one for each seed that both have."""
    mine, whole = by_seed(report, strategy, number), by_seed(report, FULL, number)
    return [mine[s].miou / whole[s].miou for s in sorted(mine.keys() & whole.keys()) if mine[s].miou and whole[s].miou]  # type: ignore[operator]


def gains(report: ActiveReport, strategy: str, number: int) -> list[float]:
    """MIoU above random's, paired by seed."""
    mine, other = by_seed(report, strategy, number), by_seed(report, RANDOM, number)
    pairs = [(mine[s].miou, other[s].miou) for s in sorted(mine.keys() & other.keys())]
    return [a - b for a, b in pairs if a is not None and b is not None]


def round_table(report: ActiveReport) -> Table:
    """Table 3.1: mIoU after each round, the labels that it took, and what it is of full supervision."""
    numbers = rounds_of(report)
    columns = ("strategy", *(f"round {n}" for n in numbers), "% of full", "over random")
    rows = [
        (
            name,
            *(text([row.miou for row in by_seed(report, name, n).values()]) for n in numbers),
            text(of_full(report, name, numbers[-1])),
            _signed(gains(report, name, numbers[-1])),
        )
        for name in strategies_of(report)
    ]
    return _titled(columns, tuple(rows), "mIoU on the validation data, %; mean ± standard deviation over seeds")


def label_table(report: ActiveReport) -> Table:
    """What the labels of the last round amount to, counted over Q as the thesis does, and over everything."""
    columns = ("strategy", "frames of Q", "% of Q's pixels", "% of all pixels", "clicks", "pixels outside the budget")
    rows = tuple(_labels(report, name) for name in strategies_of(report))
    return _titled(columns, rows, "Labels after the last round that all finished")


def _labels(report: ActiveReport, strategy: str) -> tuple[str, ...]:
    rows = last_rows(report, strategy)
    return (
        strategy,
        text([row.frames for row in rows], 1, 0),
        text([row.queried_share for row in rows]),
        text([row.labeled_share for row in rows]),
        text([row.clicks for row in rows], 1, 0),
        text([row.outside_pixels for row in rows], 1, 0),
    )


def setting_table(reports: Mapping[str, ActiveReport], caption: str) -> Table:
    """Table 3.2 or figure 3.12: mIoU after the last round, a column for each value of a setting.

    Args:
        reports: Column's head, such as ``"m = 10 %"``, → loop.
        caption: Of the table.
    """
    names = list(dict.fromkeys(name for report in reports.values() for name in strategies_of(report)))
    rows = [
        (
            name,
            *(
                text([row.miou for row in last_rows(report, name)]) if name in strategies_of(report) else "–"
                for report in reports.values()
            ),
        )
        for name in names
    ]
    return _titled(("strategy", *reports), tuple(rows), caption)


def time_table(report: ActiveReport) -> Table:
    """Tables 3.4 and 3.5: time of selection, the model included, by frame to choose from and by round; of training."""
    rows = []
    for name in strategies_of(report):
        found = [row for row in report.rows if row.strategy == name and row.round]
        a_frame = _median([row.select_seconds_a_frame for row in found], 1000)
        a_round = (_median([row.select_seconds for row in found]), _median([row.train_seconds for row in found]))
        rows.append((name, a_frame, *a_round))
    columns = ("strategy", "selection, ms a frame", "selection, s a round", "training, s a round")
    return _titled(columns, rows, "Time, median over rounds and seeds, on this machine")


def _median(seconds: Sequence[float | None], scale: float = 1) -> str:
    known = [value for value in seconds if value is not None]
    return f"{scale * statistics.median(known):.0f}" if known else "–"


def wrong_table(report: ActiveReport) -> Table:
    """Table 3.6: share of the asked pixels that the model had wrong, and what it is of the most that was possible."""
    columns = ("strategy", "wrong, %", "cap, %", "wrong, % of cap", "error rate of the frames, %", "void, %")
    keys = ("wrong_share", "wrong_cap", "wrong_of_cap", "error_rate", "void_share")
    rows = tuple(
        (name, *(_over_rounds(report, name, key) for key in keys)) for name in strategies_of(report) if name != FULL
    )
    return _titled(columns, rows, "Pixels asked for that the model had wrong; mean over rounds ± deviation over seeds")


def _over_rounds(report: ActiveReport, strategy: str, key: str) -> str:
    rows = [row for row in report.rows if row.strategy == strategy and row.round]
    seeds = sorted({row.seed for row in rows})
    return text([mean(row.selection.get(key) for row in rows if row.seed == seed) for seed in seeds]) if seeds else "–"


def class_table(report: ActiveReport) -> Table:
    """Table 3.7: IoU of each class after the last round."""
    return _by_class(report, lambda row: row.iou, "IoU by class after the last round that all finished, %")


def histogram_table(report: ActiveReport) -> Table:
    """Where the labels went: share of each class among the asked pixels that belong to one, over all rounds."""
    names, columns = strategies_of(report), _classes(report)
    counts = {name: _counted(report, name) for name in names}
    rows = tuple(
        (name, *(_part(counts[name].get(c, 0), sum(counts[name].values())) for c in columns)) for name in names
    )
    return _titled(("strategy", *columns), rows, "Asked pixels by true class, %")


def _counted(report: ActiveReport, strategy: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in report.rows:
        for name, count in row.selection.get("classes", {}).items() if row.strategy == strategy else ():
            found[name] = found.get(name, 0) + count
    return found


def _part(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}" if total else "–"


def _by_class(report: ActiveReport, get: Callable[[Row], Mapping[str, float | None]], caption: str) -> Table:
    columns = _classes(report)
    rows = tuple(
        (name, *(text([get(row).get(c) for row in last_rows(report, name)]) for c in columns))
        for name in strategies_of(report)
    )
    return _titled(("strategy", *columns), rows, caption)


def _classes(report: ActiveReport) -> list[str]:
    return list(dict.fromkeys(name for row in report.rows for name in row.iou))


def figure_table(report: ActiveReport) -> Table | None:
    """What methods told of their own networks, mean over rounds and seeds; None where none did."""
    found: dict[tuple[str, str], list[float | None]] = {}
    for row in report.rows:
        for key, value in row.figures.items():
            found.setdefault((row.strategy, key), []).append(value)
    told = [(name, key, text(values, 1, 4)) for (name, key), values in found.items()]
    return (
        _titled(("strategy", "figure", "mean"), tuple(told), "Figures of the methods' own networks") if told else None
    )


def _titled(columns: Sequence[str], rows: Iterable[tuple[str, ...]], caption: str) -> Table:
    """A table whose rows begin with a strategy, which is called by its title."""
    return Table(tuple(columns), tuple((title(name), *cells) for name, *cells in rows), caption)


def _signed(values: list[float]) -> str:
    middle = mean(values)
    return "–" if middle is None else ("+" if middle >= 0 else "") + text(values)
