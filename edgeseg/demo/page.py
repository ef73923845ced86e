"""The demonstration's page, made of what its steps left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets, softlabels
from edgeseg.demo.plan import Plan
from edgeseg.demo.results import DemoReport, Step
from edgeseg.deploy.runners import Runner, open_runner
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.spool import SpoolReader
from edgeseg.report import Figure, Gallery, Page, Section, Table, pictures, plots, write_page
from edgeseg.report.kinds.examples import legend
from edgeseg.report.kinds.items import item_row
from edgeseg.report.kinds.training import course, read_history

ENLARGE = 3


@dataclass(frozen=True)
class Material:
    """What the page is made of.

    Attributes:
        report: Figures.
        plan: Sizes.
        train, test: Dataset specs.
        metrics: Name of a training → its ``metrics.jsonl``.
        alone, exported: Models whose class maps are shown.
        cache, spool: Folders.
        scored: What the vehicle's run did.
    """

    report: DemoReport
    plan: Plan
    train: str
    test: str
    metrics: dict[str, Path]
    alone: Path
    exported: Path
    cache: Path
    spool: Path
    scored: ScoreReport


def write_demo_page(material: Material) -> None:
    """Writes ``material.report.page``.

    Raises:
        OutputError: The place cannot be written.
    """
    sections = (
        _summary(material),
        _frames(material),
        _soft_labels(material),
        _curves(material),
        _classes(material),
        _latency(material),
        _flagged(material),
        _time(material),
    )
    machine = material.report.machine
    footer = f"Made by edgeseg demo on {machine['cpu']}, {machine['usable_cores']} cores."
    write_page(Page("edgeseg: the whole loop, once", _lead(material), sections, footer), material.report.page)


def _lead(material: Material) -> str:
    by_name = {step.name: step for step in material.report.steps}
    alone, distilled = by_name["student alone"].miou, by_name["student distilled"].miou
    if alone is None or distilled is None:
        return "The test drive has no labels, so nothing can be said of quality."
    gain = 100 * (distilled - alone)
    verdict = "gained" if gain > 0 else "lost"
    return (
        f"Teachers trained one small network on {material.plan.train_frames} drawn frames. "
        f"With equal epochs, distillation {verdict} {abs(gain):.1f} points of mIoU on a drive that nobody had seen: "
        f"{100 * distilled:.1f} against {100 * alone:.1f}. The exported student then flagged "
        f"{material.report.flagged} of {material.scored.frames} frames as worth a label."
    )


def _summary(material: Material) -> Section:
    columns, rows = material.report.table()
    table = Table(columns, tuple(rows), "On the test drive; ms for one frame, p50.", strong=(len(rows) - 1,))
    text = (
        "Each row is one step of the loop. The ensemble mixes the teachers class by class; the exported graph is the "
        "distilled student as a vehicle runs it, from the camera's frame to class map and entropy."
    )
    return Section("What each step gave", text, (table,))


def _frames(material: Material) -> Section:
    test = datasets.open(material.test)
    chosen = np.linspace(0, len(test) - 1, min(4, len(test)) + 1, dtype=int)[:-1]
    with open_runner(material.alone) as alone, open_runner(material.exported) as exported:
        rows = tuple(_frame_row(test, int(index), alone, exported) for index in chosen)
    text = (
        "Frames of the test drive, their labels, what the two students see, and how unsure the distilled one is: "
        "the brighter, the higher the entropy of a pixel."
    )
    return Section("Frames, class maps, entropy", text, (legend(test.class_map), Gallery(rows)))


def _frame_row(test: datasets.Dataset, index: int, alone: Runner, exported: Runner) -> tuple[Figure, ...]:
    image, name, colors = test.image(index), test.sample_ids[index], test.class_map
    seen = exported.infer(image)
    maps = {
        "label": test.label(index),
        "student alone": alone.infer(image)["class_map"],
        "distilled, exported": seen["class_map"],
    }
    return (
        pictures.photo(image, f"Frame {name}", name, ENLARGE),
        *(pictures.class_picture(m, colors, f"{what} of frame {name}", what, ENLARGE) for what, m in maps.items()),
        pictures.heat_picture(_share(seen["entropy"]), f"Entropy of frame {name}", "entropy", ENLARGE),
    )


def _soft_labels(material: Material) -> Section:
    train, cache = datasets.open(material.train), softlabels.open(material.cache)
    index = len(train) // 2
    name = train.sample_ids[index]
    probs = cache[name]
    entropy = -(probs * np.log(np.maximum(probs, 1e-9))).sum(0) / np.log(len(probs))
    best = probs.argmax(0).astype(np.uint8)
    row = (
        pictures.photo(train.image(index), f"Training frame {name}", name, ENLARGE),
        pictures.class_picture(train.label(index), train.class_map, "Its label", "label", ENLARGE),
        pictures.class_picture(best, train.class_map, "Ensemble's best class", "ensemble's best class", ENLARGE),
        pictures.heat_picture(entropy, "Entropy of the soft labels", "entropy of the soft labels", ENLARGE),
    )
    text = (
        f"The teachers ran once over the training drive; their mixed probabilities take "
        f"{material.report.cache_bytes / 1e6:.1f} MB for {len(train)} frames. They say more than a label: "
        "how alike two classes look at a pixel, which is most at borders and far away."
    )
    return Section("Soft labels", text, (Gallery((row,)),))


def _curves(material: Material) -> Section:
    runs = {name: read_history(path) for name, path in material.metrics.items()}
    miou = {name: course(lines, "miou") for name, lines in runs.items()}
    loss = {name: course(lines, "ce") for name, lines in runs.items()}
    figures = (
        plots.curves(
            loss,
            "epoch",
            "cross-entropy",
            "Training loss of every network by epoch",
            "Training: cross-entropy on the labels, weighted by class.",
            whole=True,
        ),
        plots.curves(
            miou,
            "epoch",
            "mIoU",
            "Validation mIoU of every network by epoch",
            "Validation drive: mIoU. It chooses the checkpoint and is not reported on.",
            whole=True,
        ),
    )
    text = "Both students train for equally many epochs, from the same seed, on the same frames in the same order."
    return Section("Loss and mIoU curves", text, figures)


def _classes(material: Material) -> Section:
    shown = [s for s in material.report.steps if not s.name.startswith("teacher")]
    names = list(shown[0].iou)
    groups = {s.name: [s.iou[name] for name in names] for s in shown if s.name != "exported graph"}
    chart = plots.bars(names, groups, "IoU", "IoU of every class for ensemble and students", "Test drive.")
    rows = tuple((name, *(s.iou[name] for s in shown)) for name in names)
    table = Table(("class", *(s.name for s in shown)), rows, "IoU on the test drive")
    return Section("Class by class", "Small and rare classes are where networks differ.", (chart, table))


def _latency(material: Material) -> Section:
    timed = [s for s in material.report.steps if s.latency_ms]
    percentiles = ("p50", "p90", "p99")
    groups = {p: [s.latency_ms[p] for s in timed] for p in percentiles}
    blocks: list[Any] = [
        plots.bars([s.name for s in timed], groups, "ms for one frame", "Latency of every timed model"),
        Table(("model", "runtime", *percentiles), tuple(_latency_row(s, percentiles) for s in timed), "ms", 1),
    ]
    points = {s.name: (s.latency_ms["p50"], s.miou) for s in timed if s.miou is not None}
    if len(points) > 1:
        alt = "mIoU over latency of every timed model"
        blocks.insert(
            1,
            plots.pareto(
                points,
                "ms for one frame (p50)",
                "mIoU on the test drive",
                alt,
                "Up and to the left is better; the dashed line joins the models that none beats in both.",
            ),
        )
    size = f"{material.plan.height}×{material.plan.width}"
    text = f"One frame of {size}, on this machine's processor: say nothing of a vehicle's before measuring there."
    return Section("Latency", text, tuple(blocks))


def _latency_row(step: Step, percentiles: tuple[str, ...]) -> tuple[str | float, ...]:
    return step.name, step.backend, *(step.latency_ms[p] for p in percentiles)


def _flagged(material: Material) -> Section:
    scored, classes = material.scored, datasets.open(material.test).class_map
    items = list(SpoolReader(material.spool).list())[:4]
    timing = ", ".join(f"{name} {ms:.1f}" for name, ms in scored.timing_ms.items() if ms is not None)
    text = (
        f"The exported graph saw {scored.frames} frames of another drive and kept the {scored.kept} least certain ones "
        f"(strategy {scored.strategy}); marked are the superpixels whose labels are worth the most. "
        f"Medians a frame in ms: {timing}."
    )
    return Section("Flagged frames and regions", text, (Gallery(tuple(item_row(i, classes) for i in items)),))


def _time(material: Material) -> Section:
    seconds = material.report.seconds
    rows: tuple[tuple[str, float], ...] = (*seconds.items(), ("all", sum(seconds.values())))
    table = Table(("step", "seconds"), rows, decimals=1, strong=(len(rows) - 1,))
    return Section("Where the time went", "", (table,))


def _share(entropy: NDArray[np.uint8]) -> NDArray[np.float32]:
    return entropy.astype(np.float32) / np.float32(255)
