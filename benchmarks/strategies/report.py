"""Table and plot of what ``run`` and ``time`` measured.

python -m benchmarks.strategies.report
"""

from __future__ import annotations

import json
from typing import Any

import matplotlib
import numpy as np

from benchmarks.common.markdown import percent, table
from benchmarks.strategies.run import RESULTS
from edgeseg.files import write_atomic

matplotlib.use("Agg")
from matplotlib import pyplot

KEYS = ("caught", "lift", "really_wrong", "of_cap", "ause", "regions", "clicks", "wrong_per_click")
PIXEL_CRF = "pixel crf, mean"
THREADS = ("2", "1")


def means(cases: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Means over frames; of the pixel CRF's settings, for each frame the one that catches most on the others."""
    pixel = {name: rows for name, rows in cases.items() if name.startswith(PIXEL_CRF)}
    rows_of = {name: rows for name, rows in cases.items() if name not in pixel}
    return {name: _mean(rows) for name, rows in {**rows_of, PIXEL_CRF: held_out(list(pixel.values()))}.items()}


def held_out(settings: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of each frame by the setting that is best on all other frames, as the CRF over superpixels is fitted."""
    caught = np.array([[row["caught"] for row in rows] for rows in settings])
    others = caught.sum(1, keepdims=True) - caught
    return [settings[int(best)][frame] for frame, best in enumerate(others.argmax(0))]


def _mean(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    return {key: None if rows[0][key] is None else float(np.mean([row[key] for row in rows])) for key in KEYS}


def row(name: str, figures: dict[str, float | None], times: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    spent = [times[threads]["cases"].get(name) for threads in THREADS]
    ms = ["–" if each is None else f"{each['wall_ms_min']:.0f}" for each in spent]
    texts = {key: "–" if value is None else f"{value:.2f}" for key, value in figures.items()}
    counts = [f"{figures[key]:.0f}" for key in ("regions", "clicks", "wrong_per_click")]
    shares = [percent(figures[key]) for key in ("really_wrong", "of_cap")]
    return (name, percent(figures["caught"]), texts["lift"], *shares, texts["ause"], *counts, *ms)


def plot(figures: dict[str, dict[str, float | None]]) -> None:
    """What each strategy catches, and beside it what that costs a labeler."""
    names = sorted(figures, key=lambda name: figures[name]["caught"] or 0.0)
    panes = (("caught", "wrong pixels caught, %", 100.0), ("clicks", "clicks a frame", 1.0))
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 7), sharey=True)
    for pane, (key, label, factor) in zip(axes, panes, strict=True):
        bars = pane.barh(names, [factor * (figures[name][key] or 0.0) for name in names], color="tab:blue")
        pane.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
        pane.set_xlabel(label)
        pane.margins(x=0.12)
    figure.suptitle("A tenth of each frame chosen: what it catches, and what it costs a labeler")
    figure.tight_layout()
    figure.savefig(RESULTS / "strategies.png", dpi=90)
    pyplot.close(figure)


def main() -> None:
    quality = json.loads((RESULTS / "quality.json").read_text())
    times = json.loads((RESULTS / "time.json").read_text())["threads"]
    figures = means(quality["cases"])
    columns = (
        "strategy",
        "wrong pixels caught, %",
        "lift",
        "really wrong, %",
        "of its cap, %",
        "AUSE",
        "regions",
        "clicks",
        "wrong pixels a click",
        "ms, 2 threads",
        "ms, 1 thread",
    )
    rows = [row(name, figures[name], times) for name in figures]
    note = times["1"]["settings"]["note"]
    text = (
        table(columns, rows) + f"\nMeans over {len(quality['frames'])} frames, of which the model gets "
        f"{percent(float(np.mean(quality['error_rate'])))} % wrong; times: {note}\n"
    )
    write_atomic(RESULTS / "table.md", text)
    plot(figures)
    print(text)


if __name__ == "__main__":
    main()
