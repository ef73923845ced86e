"""What is kept of a run: every figure, settings, curves, the ENet checkpoints, and the tables that are made of them."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

from benchmarks.camvid.recipe import Job, student_of
from benchmarks.common import markdown
from benchmarks.common.steps import Figures, Steps
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.report import page, plots

YARDSTICK = ("public ENet recipe, 40 epochs at 180×240", 0.549)
"""Adam at 5e-4, ENet class weights, batch 10, no augmentation; mIoU on #val at 360×480."""
_KEPT = re.compile(r"enet-(ce|distilled)-seed\d+")
"""Runs whose checkpoints stay beside the tables."""
LEAD = (
    "Students and teachers trained on `#train` of CamVid alone; each evaluated once, at its end, on `#val` at 360×480. "
    "Percent; mean ± standard deviation over seeds; gains are paired by seed, ± their standard error."
)


def keep(job: Job, steps: Steps, results: Path) -> None:
    """Writes everything that is there into ``results``; what is not there yet leaves a dash."""
    results.mkdir(parents=True, exist_ok=True)
    runs = [f"{name}-seed{seed}" for name, seed in job.recipe.runs]
    names = [*job.recipe.teachers, "cache-built", "ensemble", *runs, *(f"{run}-deployed" for run in runs)]
    done = {name: found for name in names if (found := steps.figures(name)) is not None}
    summary = {"machine": describe_machine(), "steps": done}
    write_atomic(results / "summary.json", job.portable(json.dumps(summary, indent=1)) + "\n")
    for run in (*job.recipe.teachers, *runs):
        if run in done:
            _copy_run(job, run, results)
    tables = _tables(job, done)
    text = "\n\n".join(f"## {title}\n\n{markdown.table(*table)}" for title, table in tables.items())
    write_atomic(results / "table.md", f"{LEAD}\n\n{text}")
    _page(job, done, tables, results)


Table = tuple[list[str], list[list[str]]]


def _copy_run(job: Job, run: str, results: Path) -> None:
    for kind in ("metrics.jsonl", "config.yaml"):
        write_atomic(results / f"{run}.{kind}", job.portable((job.out / run / kind).read_text()))
    if _KEPT.fullmatch(run):
        found = load_checkpoint(job.out / run / "last.edgeseg")
        info = ModelInfo.from_json(job.portable(found.info.to_json()), run)
        save_checkpoint(results / f"{run}.edgeseg", found.net, info)


def _tables(job: Job, done: dict[str, Figures]) -> dict[str, Table]:
    return {
        "Teachers": _teachers(job, done),
        "Students: cross-entropy alone, KL alone, both": _students(job, done),
        "Students by class": _classes(job, done),
        "Every run": _runs(job, done),
    }


def _teachers(job: Job, done: dict[str, Figures]) -> Table:
    names = [name for name in (*job.recipe.teachers, "ensemble") if name in done]
    classes = list(done[names[0]]["iou"]) if names else []
    rows = []
    for name in names:
        found, epochs = done[name], job.teacher_settings(name).epochs if name != "ensemble" else ""
        iou = [markdown.percent(found["iou"][c]) for c in classes]
        figures = [markdown.percent(found.get(key)) for key in ("miou", "pixel_accuracy", "ece")]
        rows.append([name, str(epochs), *figures, f"{found['seconds'] / 60:.0f}", *iou])
    # The ensemble's members as it takes them, in their order.
    for name, found in zip(
        job.recipe.temperatures, done.get("ensemble", {}).get("gate", {}).get("teachers", ()), strict=False
    ):
        iou = [markdown.percent(found["iou"][c]) for c in classes]
        rows.insert(-1, [f"{name}, mirrored and averaged", "", markdown.percent(found["miou"]), *["–"] * 3, *iou])
    return ["", "epochs", "mIoU", "pixel accuracy", "ECE", "minutes", *classes], rows


def _mious(job: Job, done: dict[str, Figures], cell: str) -> dict[int, float]:
    found = {seed: done.get(f"{cell}-seed{seed}") for seed in job.recipe.cells.get(cell, {"seeds": []})["seeds"]}
    return {seed: figures["miou"] for seed, figures in found.items() if figures is not None}


def _students(job: Job, done: dict[str, Figures]) -> Table:
    rows = []
    for student in dict.fromkeys(map(student_of, job.recipe.cells)):
        ce, kl, both = (_mious(job, done, f"{student}-{kind}") for kind in ("ce", "kl", "distilled"))
        means = [markdown.mean_and_spread(list(x.values())) for x in (ce, kl, both)]
        times = [_latency(done, f"{student}-{kind}-seed0-deployed") for kind in ("ce", "distilled")]
        rows.append([student, *means, markdown.paired_gain(ce, both), markdown.paired_gain(ce, kl), *times])
    rows.append([YARDSTICK[0], f"{100 * YARDSTICK[1]:.1f}", *[""] * 6])
    columns = ["", "CE", "KL", "CE + λKL", "gain", "gain of KL alone", "ms before", "ms after"]
    return columns, rows


def _latency(done: dict[str, Figures], step: str) -> str:
    if step not in done:
        return "–"
    row = next(r for r in done[step]["bench"]["rows"] if r["backend"] != "torch")
    return f"{row['latency_ms']['p50']:.0f}"


def _classes(job: Job, done: dict[str, Figures]) -> Table:
    rows, classes = [], list[str]()
    for cell, settings in job.recipe.cells.items():
        found = [done[run]["iou"] for seed in settings["seeds"] if (run := f"{cell}-seed{seed}") in done]
        if found:
            classes = list(found[0])
            rows.append(
                [cell, str(len(found)), *(f"{100 * statistics.mean(f[c] for f in found):.1f}" for c in classes)]
            )
    return ["mean IoU", "seeds", *classes], rows


def _runs(job: Job, done: dict[str, Figures]) -> Table:
    rows = []
    for name, seed in job.recipe.runs:
        if (found := done.get(f"{name}-seed{seed}")) is not None:
            figures = [markdown.percent(found[key]) for key in ("miou", "pixel_accuracy", "ece")]
            epochs = " + ".join(str(job.cell_settings(cell, seed).epochs) for cell in _trainings(job, name, seed))
            rows.append([name, str(seed), epochs, *figures, f"{found['seconds'] / 60:.0f}"])
    return ["cell", "seed", "epochs", "mIoU", "pixel accuracy", "ECE", "minutes"], rows


def _trainings(job: Job, name: str, seed: int) -> list[str]:
    """A cell behind all that it goes on from."""
    first = job.first_of(name, seed)
    return [*(_trainings(job, first.rpartition("-")[0], seed) if first else []), name]


def _page(job: Job, done: dict[str, Figures], tables: dict[str, Table], results: Path) -> None:
    sections = [
        page.Section(title, blocks=(page.Table(tuple(columns), tuple(map(tuple, rows))),))
        for title, (columns, rows) in tables.items()
        if rows
    ]
    cells = {cell: list(found.values()) for cell in job.recipe.cells if (found := _mious(job, done, cell))}
    if cells:
        most = max(map(len, cells.values()))
        groups = {f"run {i + 1}": [100 * v[i] if i < len(v) else None for v in cells.values()] for i in range(most)}
        dots = plots.bars(list(cells), groups, "mIoU on #val, %", "mIoU of every student's runs")
        sections.append(page.Section("Runs", blocks=(dots,)))
    if curves := _curves(job, done, results):
        sections.append(page.Section("Training", blocks=(curves,)))
    page.write_page(
        page.Page("Distillation on CamVid", LEAD.replace("`", ""), tuple(sections)), results / "report.html"
    )


def _curves(job: Job, done: dict[str, Figures], results: Path) -> page.Figure | None:
    series = {}
    for run in (*job.recipe.teachers, *(f"{cell}-seed0" for cell in job.recipe.cells)):
        if run in done:
            lines = (results / f"{run}.metrics.jsonl").read_text().splitlines()
            history = [line for line in map(json.loads, lines) if "ce" in line]
            if history:
                series[run] = ([h["epoch"] for h in history], [h["ce"] for h in history])
    if not series:
        return None
    return plots.curves(
        series, "epoch", "cross-entropy, nats", "Cross-entropy on the training crops by epoch", log=True
    )
