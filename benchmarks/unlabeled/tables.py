"""What is kept of a run: every figure, settings and curves, and the tables that are made of them."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.common import markdown
from benchmarks.common.steps import Figures, Steps
from benchmarks.unlabeled.recipe import Job, folder_of
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.report import page, plots

LEAD = (
    "ENet on CamVid at {height}×{width}. A share of `#train` is labeled, the rest is not, for students and teachers "
    "alike; {reading}. Evaluated once, at the end, on `#val` at 360×480. Percent; mean ± "
    "standard deviation over seeds; gains, over labels alone and over the row above, are paired by seed, ± their "
    "standard error."
)
Table = tuple[list[str], list[list[str]]]
Done = dict[str, Figures]


def keep(job: Job, steps: Steps, results: Path) -> None:
    """Writes everything that is there into ``results``; what is not there yet leaves a dash."""
    results.mkdir(parents=True, exist_ok=True)
    runs = [folder_of(share, f"{arm}-seed{seed}") for share, arm, seed in job.recipe.runs]
    trained = [folder_of(share, name) for share in job.recipe.shares for name in job.recipe.teachers]
    whole = [folder_of(share, name) for share in job.recipe.shares for name in ("cache-built", "ensemble")]
    names = [*runs, *trained, *whole]
    done = {name: found for name in names if (found := steps.figures(name)) is not None}
    summary = json.dumps({"machine": describe_machine(), "steps": done}, indent=1)
    write_atomic(results / "summary.json", job.portable(summary) + "\n")
    for run in (*runs, *trained):
        if run in done:
            for kind in ("metrics.jsonl", "config.yaml"):
                text = (job.out / run / kind).read_text()
                write_atomic(results / f"{run}.{kind}", job.portable(text))
    found = {share: tables_of(job, done, share) for share in job.recipe.shares}
    parts = [f"## {title}\n\n{markdown.table(*table)}" for tables in found.values() for title, table in tables.items()]
    write_atomic(results / "table.md", "\n\n".join([_lead(job), *parts]))
    _page(job, done, found, results)


def _lead(job: Job) -> str:
    return LEAD.format(**job.recipe.common, reading=job.recipe.reading)


def tables_of(job: Job, done: Done, share: str) -> dict[str, Table]:
    """The tables of one share."""
    return {
        f"{share} of the labels": _arms(job, done, share),
        f"{share} of the labels, by class": _classes(job, done, share),
        f"{share} of the labels, teachers": _teachers(job, done, share),
    }


def by_seed(job: Job, done: Done, share: str, arm: str) -> dict[int, Figures]:
    """Seed → figures of the runs that are there."""
    names = {seed: folder_of(share, f"{arm}-seed{seed}") for seed in job.recipe.shares[share]["seeds"]}
    return {seed: done[name] for seed, name in names.items() if name in done}


def mean_iou(found: Figures, classes: list[str]) -> float:
    """Mean IoU over some classes; one that no pixel of the labels has does not count."""
    return statistics.mean(float(found["iou"][name]) for name in classes if found["iou"][name] is not None)


def groups(job: Job, found: Figures) -> dict[str, list[str]]:
    """``all``, ``head`` and ``tail`` → names of classes."""
    names = list(found["iou"])
    return {
        "all": names,
        "head": [name for name in names if name not in job.recipe.tail],
        "tail": [name for name in names if name in job.recipe.tail],
    }


def _arms(job: Job, done: Done, share: str) -> Table:
    rows, arms = [], list(job.recipe.arms)
    means = {arm: _means(job, done, share, arm) for arm in arms}
    for number, arm in enumerate(arms):
        found = by_seed(job, done, share, arm)
        if not found:
            rows.append([arm, *["–"] * 11])
            continue
        figures = [markdown.mean_and_spread(list(values.values())) for values in means[arm].values()]
        before = (arms[0], arms[number - 1]) if number else ()
        gains = [
            markdown.paired_gain(means[name].get(kind, {}), values)
            for name in before
            for kind, values in means[arm].items()
        ]
        minutes = statistics.mean(f["seconds"] for f in found.values()) / 60
        rows.append([arm, str(len(found)), *figures, *(gains or ["–"] * 6), f"{minutes:.0f}"])
    gained = ["gain", "gain, head", "gain, tail"]
    over = [f"{name}, over the row above" for name in gained]
    return ["", "seeds", "mIoU", "head", "tail", *gained, *over, "minutes"], rows


def _means(job: Job, done: Done, share: str, arm: str) -> dict[str, dict[int, float]]:
    """Kind of ``groups`` → seed → mean IoU; {} where nothing is there."""
    found = by_seed(job, done, share, arm)
    kinds = groups(job, next(iter(found.values()))) if found else {}
    return {kind: {seed: mean_iou(f, names) for seed, f in found.items()} for kind, names in kinds.items()}


def _classes(job: Job, done: Done, share: str) -> Table:
    rows, classes = [], list[str]()
    for arm in job.recipe.arms:
        found = list(by_seed(job, done, share, arm).values())
        if found:
            classes = list(found[0]["iou"])
            rows.append([arm, *(markdown.mean_and_spread([f["iou"][c] for f in found]) for c in classes)])
    return ["mean IoU", *(f"{name} (tail)" if name in job.recipe.tail else name for name in classes)], rows


def _teachers(job: Job, done: Done, share: str) -> Table:
    rows = []
    for name in (*job.recipe.teachers, "ensemble"):
        found = done.get(folder_of(share, name))
        if found is not None:
            figures = [markdown.percent(mean_iou(found, names)) for names in groups(job, found).values()]
            rows.append([name, *figures, f"{found['seconds'] / 60:.0f}"])
    return ["", "mIoU", "head", "tail", "minutes"], rows


def _page(job: Job, done: Done, found: dict[str, dict[str, Table]], results: Path) -> None:
    sections = [
        page.Section(title, blocks=(page.Table(tuple(columns), tuple(map(tuple, rows))),))
        for tables in found.values()
        for title, (columns, rows) in tables.items()
        if rows
    ]
    sections += [
        page.Section(f"{share}: head and tail", blocks=(plot,)) for share in found if (plot := _gains(job, done, share))
    ]
    sections += [
        page.Section(f"{share}: pseudo-labels", blocks=plots_)
        for share in found
        if (plots_ := _curves(job, results, share))
    ]
    lead = _lead(job).replace("`", "")
    page.write_page(page.Page("Unlabeled frames on CamVid", lead, tuple(sections)), results / "report.html")


def _gains(job: Job, done: Done, share: str) -> page.Figure | None:
    """Bars of every arm's mean IoU by head and tail."""
    bars: dict[str, list[float | None]] = {"head": [], "tail": [], "all": []}
    arms = [arm for arm in job.recipe.arms if by_seed(job, done, share, arm)]
    for arm in arms:
        found = list(by_seed(job, done, share, arm).values())
        for kind, names in groups(job, found[0]).items():
            bars[kind].append(100 * statistics.mean(mean_iou(f, names) for f in found))
    if not arms:
        return None
    return plots.bars(arms, bars, "mIoU on #val, %", f"mIoU of head, tail and all classes at {share} of the labels")


def _curves(job: Job, results: Path, share: str) -> tuple[page.Figure, ...]:
    """The teacher's confidence and its share of sure pixels over the epochs, of the first seed."""
    seed = job.recipe.shares[share]["seeds"][0]
    figures = []
    for key, label in (
        ("confidence", "mean confidence of the teacher"),
        ("sure", "share of pixels above the threshold"),
    ):
        series = {}
        for arm in job.recipe.arms:
            path = results / f"{folder_of(share, f'{arm}-seed{seed}')}.metrics.jsonl"
            history = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            if told := [line for line in history if key in line]:
                series[arm] = ([line["epoch"] for line in told], [line[key] for line in told])
        if series:
            figures.append(plots.curves(series, "epoch", label, f"{label} by epoch at {share} of the labels"))
    return tuple(figures)
