"""What is kept of the loops: rows, tables, and a page for each arm."""

from __future__ import annotations

import json
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
        parts.append(f"## {arm}\n\n" + "\n\n".join(_markdown(table) for table in _tables(report)))
        page = active.write_report(report, job.out / arm)
        write_atomic(results / f"{arm}.html", job.portable(page.read_text()))
        write_atomic(results / f"{arm}.yaml", job.portable(config.to_yaml(job.settings(arm))))
    if budgets := _budgets(job, reports):
        parts.append(f"## By budget\n\n{_markdown(tables.budget_table(budgets))}")
    write_atomic(results / "table.md", "\n\n".join(parts) + "\n")
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


def _budgets(job: Job, reports: dict[str, ActiveReport]) -> dict[float, ActiveReport]:
    """M → loop, of the arms that differ from the first in m alone."""
    arms = {arm: set(job.recipe.arms[arm]) - {"seeds", "strategies", "share"} for arm in reports}
    alike = [arm for arm, others in arms.items() if not others]
    found = {job.settings(arm).share: reports[arm] for arm in alike}
    return found if len(found) > 1 else {}


def _markdown(table: Table) -> str:
    return f"{table.caption}\n\n{markdown.table(table.columns, table.texts())}"
