"""The loop's report page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.loop.plan import Plan
from edgeseg import datasets
from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets.labeled import IMAGES, MASKS
from edgeseg.images import read_image, read_label
from edgeseg.report import Gallery, Page, Section, Table, Tiles, plots, write_page
from edgeseg.report.kinds import examples
from edgeseg.report.kinds.base import machine_facts, points
from edgeseg.report.page import Facts, Figure

CHOSEN, CHANCE, NOTHING = "chosen regions", "random regions", "no new labels"
SHOWN = 4
"""Labeled frames shown as pictures, those with the most labels."""


def write_loop_page(report: Mapping[str, Any], run: Path, plan: Plan, path: Path) -> None:
    """Writes the page of a finished loop.

    Args:
        report: What ``loop.json`` holds.
        run: Folder of the run.
        plan: Data and sizes.
        path: The page.
    """
    steps = report["steps"]
    arms = by_arm(steps)
    footer = f"{report['command']}"
    sections = (
        Section("mIoU before and after", _meaning(plan), (_tiles(steps, arms), _arms(steps, arms), _runs(arms))),
        Section("Class by class", "Mean over the seeds.", (_classes(steps),)),
        _way(steps),
        _frames(run, plan),
        Section("What was typed", "In this order.", (Facts(tuple(_typed(steps))),)),
        Section("Machine and plan", "", (Facts((*machine_facts(report["machine"]), *_plan(report["plan"]))),)),
    )
    lead = (
        f"A student trained on {steps['first student']['frames']} labeled frames went on a drive of "
        f"{steps['labels come back']['scored']['frames']} others, asked for "
        f"{steps['labels come back']['selected']['regions']} regions "
        f"({steps['labels come back']['labeled_share']:.1%} of the drive's pixels), and was trained on with them."
    )
    told, summary = list(verdict(arms)), list(_summary(steps, arms))
    write_page(Page("The whole loop, once", lead, sections, footer, "benchmark", tuple(told), tuple(summary)), path)


def by_arm(steps: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Evaluations after the retraining, by what it was given, over the seeds."""
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps.values():
        if "arm" in step:
            arms.setdefault(step["arm"], []).append(step)
    return arms


def verdict(arms: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    """What speaks against the loop's worth, one sentence each; nothing where it is beyond chance."""
    for other in (NOTHING, CHANCE):
        gains = _gains(arms, other)
        mean, error = statistics.fmean(gains), _error(gains)
        if mean <= 0:
            yield f"the chosen regions give no more than {other}: {100 * mean:+.1f} points"
        elif error is None:
            yield f"one seed: whether {100 * mean:+.1f} points over {other} are chance cannot be told"
        elif mean < 2 * error:
            yield (
                f"{100 * mean:+.1f} points over {other} are less than twice their standard error ({100 * error:.1f}, "
                f"{len(gains)} seeds): that may be chance"
            )


def _gains(arms: Mapping[str, list[Mapping[str, Any]]], other: str) -> list[float]:
    """What the chosen regions gain in mIoU over another arm, seed by seed."""
    before = {step["seed"]: step["miou"] for step in arms[other]}
    return [step["miou"] - before[step["seed"]] for step in arms[CHOSEN]]


def _error(values: list[float]) -> float | None:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def _summary(steps: Mapping[str, Any], arms: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    first, back = steps["first student"], steps["labels come back"]
    after = statistics.fmean(step["miou"] for step in arms[CHOSEN])
    yield f"mIoU on a drive that nobody had seen: {points(first['miou'])} before, {points(after)} after."
    for other in (NOTHING, CHANCE, "random frames"):
        gains = _gains(arms, other)
        error = _error(gains)
        told = f" ± {100 * error:.1f} (standard error, {len(gains)} seeds)" if error is not None else ""
        gain = f"{100 * statistics.fmean(gains):+.1f}{told} points"
        yield f"Against {other}, from the same student and for as many iterations: {gain}."
    drawn = back["drawn"]
    yield (
        f"The model was wrong on {drawn['corrected_px'] / drawn['drawn_px']:.0%} of the pixels that it asked for, and "
        f"on {first['wrong_on_drive']:.0%} of the whole drive."
    )
    yield f"Of {drawn['drawn_px']} pixels that were drawn, {back['imported']['labeled_px']} arrived in the dataset."


def _meaning(plan: Plan) -> str:
    return (
        f"Before: the first student. After: the same student, trained for {plan.iterations} more iterations on the "
        "first labels and what is named; random frames and regions have at least as many labeled pixels as the chosen "
        "ones."
    )


def _tiles(steps: Mapping[str, Any], arms: Mapping[str, list[Mapping[str, Any]]]) -> Tiles:
    means = {arm: statistics.fmean(step["miou"] for step in found) for arm, found in arms.items()}
    first = steps["first student"]["miou"]
    entries = [("before", points(first), "first labels alone")]
    entries += [(arm, points(mean), f"{100 * (mean - first):+.1f} points") for arm, mean in means.items()]
    return Tiles(tuple(entries))


def _arms(steps: Mapping[str, Any], arms: Mapping[str, list[Mapping[str, Any]]]) -> Figure:
    seeds = sorted({step["seed"] for found in arms.values() for step in found})
    groups = {
        f"seed {seed}": [100 * next(s["miou"] for s in found if s["seed"] == seed) for found in arms.values()]
        for seed in seeds
    }
    return plots.bars(list(arms), groups, "mIoU, %", "mIoU after the retraining, by what it was given")


def _runs(arms: Mapping[str, list[Mapping[str, Any]]]) -> Table:
    rows = tuple(
        (arm, step["seed"], step["added"], step["added_px"], step["miou"], step["pixel_accuracy"])
        for arm, found in arms.items()
        for step in found
    )
    return Table(("", "seed", "regions or frames added", "pixels added", "mIoU", "pixel accuracy"), rows)


def _classes(steps: Mapping[str, Any]) -> Figure:
    arms = {"before": [steps["first student"]], **by_arm(steps)}
    names = list(steps["first student"]["iou"])
    groups = {arm: [_mean([step["iou"][name] for step in found]) for name in names] for arm, found in arms.items()}
    return plots.bars(names, groups, "IoU", "IoU by class before and after")


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _way(steps: Mapping[str, Any]) -> Section:
    back = steps["labels come back"]
    rows = (
        ("scored by the vehicle, frames", back["scored"]["frames"]),
        ("kept in the spool", back["scored"]["kept"]),
        ("sent to the S3 server", back["uploaded"]["sent"]),
        ("bytes sent", back["uploaded"]["bytes"]),
        ("taken into the queue", back["ingested"]["ingested"]),
        ("quarantined", back["ingested"]["quarantined"]),
        ("frames selected", back["selected"]["frames"]),
        ("regions selected", back["selected"]["regions"]),
        ("clicks that they would cost", back["selected"]["clicks"]),
        ("tasks for Label Studio", back["exported"]["exported"]),
        ("refused by its lint", len(back["exported"]["refused"])),
        ("pixels drawn by the oracle", back["drawn"]["drawn_px"]),
        ("of these the model had wrong", back["drawn"]["corrected_px"]),
        ("frames that came back", back["imported"]["items"]),
        ("pixels in the dataset", back["imported"]["labeled_px"]),
        ("merged in the end", back["stats"]["states"]["merged"]),
    )
    text = "Each line is one command's report; what one step gives, the next must have."
    return Section("The way of the labels", text, (Table(("", "count"), rows),))


def _frames(run: Path, plan: Plan) -> Section:
    """Frames that came back, most labels first: the frame, what was labeled, and the whole truth."""
    drive, folder = datasets.open(plan.drive), run / "fleet" / "labels"
    labels = {path.name: read_label(path) for path in sorted((folder / MASKS).glob("*.png"))}
    most = sorted(labels, key=lambda name: -int((labels[name] != IGNORE_INDEX).sum()))[:SHOWN]
    rows = tuple(
        (
            examples.photo(read_image(folder / IMAGES / name), f"Frame {name[:12]}", name[:12]),
            examples.classes(labels[name], drive.class_map, f"Labels of {name[:12]}", "labeled; black: not asked for"),
        )
        for name in most
    )
    return Section("What came back", "", (examples.legend(drive.class_map), Gallery(rows)))


def _typed(steps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("first student", "labels come back", f"{CHOSEN}, seed 0"):
        for number, command in enumerate(steps[name]["commands"], 1):
            yield f"{name}, {number}", command


def _plan(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in plan.items():
        yield name, str(value)
