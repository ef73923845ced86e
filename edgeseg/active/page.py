"""One HTML page of a run: curves, tables, where the labels went, and what each strategy chose."""

from __future__ import annotations

from pathlib import Path

from edgeseg.active import tables
from edgeseg.active.methods import title
from edgeseg.active.pictures import chosen_gallery
from edgeseg.active.rows import ActiveReport
from edgeseg.deploy.machine import describe_machine
from edgeseg.report import page, plots

PAGE = "report.html"


def write_report(report: ActiveReport, out: Path) -> Path:
    """Writes ``out/report.html``.

    Raises:
        MissingDependencyError: matplotlib or jinja2 is not installed.
        OutputError: The place cannot be written.
    """
    path = out / PAGE
    page.write_page(page.Page("Active learning, simulated", lead(report), sections(report, out), _footer()), path)
    return path


def lead(report: ActiveReport) -> str:
    """What was run and what came out, in plain words; warnings first."""
    missing = [name for name in (tables.FULL, tables.RANDOM) if name not in tables.strategies_of(report)]
    warning = f"Without {' and '.join(missing)} there is nothing to compare with. " if missing else ""
    count, settings = report.frames, report.settings
    told = (
        f"{count['P']} frames labeled at the start, {count['Q']} to ask about, {settings['rounds']} rounds; "
        f"reported on {count['val']} frames of {settings['val']}, on which nothing was chosen. "
    )
    return warning + told + _winner(report)


def _winner(report: ActiveReport) -> str:
    names = [name for name in tables.strategies_of(report) if name not in (tables.FULL, tables.RANDOM)]
    last = tables.rounds_of(report)[-1]
    rows = {name: tables.by_seed(report, name, last) for name in names}
    # What fewer seeds tell is not held against what all tell.
    most = max(map(len, rows.values()), default=0)
    found = {name: tables.mean(row.miou for row in by.values()) for name, by in rows.items() if len(by) == most}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return ""
    best = max(known, key=known.__getitem__)
    share, gains = tables.of_full(report, best, last), tables.gains(report, best, last)
    text = f"Best: {title(best)} with {100 * known[best]:.1f} % mIoU"
    if share:
        text += f", {tables.text(share)} % of full supervision at the same iterations"
    if gains:
        beats = len(gains) > 1 and tables.mean(gains) > tables.spread(gains)  # type: ignore[operator]
        text += f", {100 * (tables.mean(gains) or 0):+.1f} points over random" + (
            ", more than the seeds differ" if beats else ", which the seeds do not settle"
        )
    return text + "."


def sections(report: ActiveReport, out: Path) -> tuple[page.Section, ...]:
    """The page's parts."""
    told = tables.figure_table(report)
    return (
        page.Section("mIoU by round", "", (curve(report), tables.round_table(report), tables.label_table(report))),
        page.Section("What was asked for", WRONG, (tables.wrong_table(report),)),
        page.Section("By class", "", (tables.class_table(report), tables.histogram_table(report))),
        page.Section("Time", "", (tables.time_table(report), *((told,) if told else ()))),
        page.Section("What each strategy chose", CHOSEN, (chosen_gallery(report, out),)),
    )


WRONG = (
    "A model that is right nearly everywhere leaves few wrong pixels to find: the cap is the most that so many pixels "
    "of the same frames could have held."
)
CHOSEN = "The first frames of the first round of the first seed; what was asked for is bright."


def curve(report: ActiveReport) -> page.Figure:
    """MIoU over the share of Q's pixels that full supervision would label, with error bars over seeds."""
    numbers = tables.rounds_of(report)
    series, spreads = {}, {}
    for name in tables.strategies_of(report):
        found = [(n, [row.miou for row in tables.by_seed(report, name, n).values()]) for n in numbers]
        known = [(n, 100 * middle, 100 * tables.spread(v)) for n, v in found if (middle := tables.mean(v)) is not None]
        name = title(name)
        series[name] = ([n for n, _, _ in known], [m for _, m, _ in known])
        spreads[name] = [s for _, _, s in known]
    words = "mIoU after each round, one line a strategy, error bars over seeds"
    return plots.curves(series, "round", "mIoU, %", words, whole=True, spreads=spreads)


def _footer() -> str:
    machine = describe_machine()
    return ", ".join(f"{key} {value}" for key, value in machine.items() if isinstance(value, str | int))
