"""The recipe's figures as a Markdown table and a page with the curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeseg.files import write_atomic
from edgeseg.report import page, plots

YARDSTICK = ("public ENet recipe, 40 epochs at this size", 0.549)
"""Adam at 5e-4, ENet class weights, batch 10, no augmentation; mIoU on #val at 360×480."""

LEAD = "On #val at 360×480, in percent; IoU by class on the right."


def write(results: Path, steps: dict[str, dict[str, Any]], epochs: dict[str, int]) -> None:
    """Writes ``table.md`` and ``report.html``.

    Args:
        results: Folder that also holds the runs' ``NAME-*.metrics.jsonl``.
        steps: Step → its report.
        epochs: Training → its epochs.
    """
    classes = list(steps["ensemble"]["iou"])
    columns = ["", "epochs", "mIoU", "pixel accuracy", "ECE", "minutes", *classes]
    rows = [[YARDSTICK[0], "40", f"{100 * YARDSTICK[1]:.1f}", *("" for _ in columns[3:])]]
    for name in (*epochs, "ensemble"):
        found = steps[name]
        iou = ["–" if found["iou"][c] is None else f"{100 * found['iou'][c]:.1f}" for c in classes]
        minutes = "" if name == "ensemble" else f"{found['seconds'] / 60:.0f}"
        figures = (found["miou"], found.get("pixel_accuracy"), found.get("ece"))
        rows.append([name, str(epochs.get(name, "")), *(_percent(x) for x in figures), minutes, *iou])
    write_atomic(results / "table.md", _markdown(columns, rows))
    sections = (
        page.Section("Figures", LEAD, (page.Table(tuple(columns), tuple(map(tuple, rows))),)),
        page.Section("Training", blocks=(_curves(results, epochs),)),
    )
    lead = "Teachers and students trained on #train at 180×240, each evaluated once, at its end, on #val."
    page.write_page(page.Page("CamVid at half size", lead, sections), results / "report.html")


def _curves(results: Path, names: dict[str, int]) -> page.Figure:
    series = {}
    for name in names:
        lines = next(results.glob(f"{name}-seed*.metrics.jsonl")).read_text().splitlines()
        history = [json.loads(line) for line in lines]
        series[name] = ([h["epoch"] for h in history], [h["ce"] for h in history])
    return plots.curves(
        series, "epoch", "cross-entropy, nats", "Cross-entropy on the training crops by epoch", log=True
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
