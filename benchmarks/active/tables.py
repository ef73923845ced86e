"""What is kept of the loops: rows, tables, and a page for each arm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.active.recipe import Job
from benchmarks.common import markdown
from edgeseg import active, config
from edgeseg.active import ActiveReport, tables
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.report.page import Table

LEAD = (
    "ENet on CamVid at {height}×{width}, evaluated on `#val` at 360×480, on which nothing was chosen. Percent; mean ± "
    "standard deviation over seeds. `full` labels the same number of frames whole: `% of full` compares at equal "
    "iterations. The thesis counts Q's pixels alone; the share of all pixels stands beside it."
)


def keep(job: Job, results: Path) -> None:
    """Writes everything that is finished into ``results``."""
    results.mkdir(parents=True, exist_ok=True)
    reports = {arm: active.collect(job.settings(arm), job.out / arm) for arm in job.recipe.arms}
    reports = {arm: report for arm, report in reports.items() if report.rows}
    parts = [LEAD.format(**job.recipe.common["training"])]
    for arm, report in reports.items():
        parts += [f"## {arm}", active.lead(report), *(_markdown(table) for table in _tables(report))]
        page = active.write_report(report, job.out / arm)
        write_atomic(results / f"{arm}.html", job.portable(page.read_text()))
        write_atomic(results / f"{arm}.yaml", job.portable(config.to_yaml(job.settings(arm))))
    for title, table in _by_setting(job, reports).items():
        parts.append(f"## {title}\n\n{_markdown(table)}")
    write_atomic(results / "table.md", job.portable("\n\n".join(parts)) + "\n")
    plain = {"machine": describe_machine(), "arms": {arm: report.to_dict() for arm, report in reports.items()}}
    write_atomic(results / "rows.json", job.portable(json.dumps(plain, indent=1)) + "\n")


def _tables(report: ActiveReport) -> list[Table]:
    told = tables.figure_table(report)
    return [
        tables.round_table(report),
        tables.label_table(report),
        tables.wrong_table(report),
        tables.class_table(report),
        tables.histogram_table(report),
        tables.time_table(report),
        *([told] if told else []),
    ]


def _by_setting(job: Job, reports: dict[str, ActiveReport]) -> dict[str, Table]:
    """Title → table of the arms that differ from the first in one thing alone: the budget, or the size of a group."""
    budgets = {f"m = {100 * job.settings(arm).share:g} %": arm for arm in _alike_but_for(job, reports, {"share"})}
    groups = {
        f"{job.settings(arm).rounds} rounds of {job.settings(arm).epochs} epochs": arm
        for arm in _alike_but_for(job, reports, {"rounds", "epochs"})
    }
    found = {
        "By budget": (budgets, "mIoU after the last round by budget, %; the seeds that all columns have"),
        "By group": (
            groups,
            "mIoU after the last round by frames asked about at once, %; the seeds that all columns have",
        ),
    }
    return {
        title: tables.setting_table(_same_seeds({head: reports[arm] for head, arm in columns.items()}), caption)
        for title, (columns, caption) in found.items()
        if len(columns) > 1
    }


def _same_seeds(columns: dict[str, ActiveReport]) -> dict[str, ActiveReport]:
    """The reports without the seeds that one of them has not."""
    shared = set.intersection(*({row.seed for row in report.rows} for report in columns.values()))
    return {
        head: replace(report, rows=tuple(row for row in report.rows if row.seed in shared))
        for head, report in columns.items()
    }


def _alike_but_for(job: Job, reports: dict[str, ActiveReport], own: set[str]) -> list[str]:
    plain = {arm: config.to_plain(job.settings(arm)) for arm in reports}
    first = next(iter(plain.values()))
    free = {"seeds", "strategies"} | own
    return [arm for arm, of_arm in plain.items() if all(of_arm[name] == first[name] for name in first.keys() - free)]


def _markdown(table: Table) -> str:
    return f"{table.caption}\n\n{markdown.table(table.columns, table.texts())}"
