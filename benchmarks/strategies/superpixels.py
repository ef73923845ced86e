"""Superpixels at half the frame's size against full-size fast-slic, on labeled frames.

    python -m benchmarks.strategies.superpixels D

Boundary recall is the share of pixels on a boundary between two labels that have a superpixel's boundary within
r pixels (both sides of a boundary count). Achievable accuracy is that of the best class for each superpixel. Length
is the number of neighbouring pairs of pixels in different superpixels, over all pixels: more of it finds more.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.markdown import table
from benchmarks.strategies.run import RESULTS
from edgeseg import datasets
from edgeseg.classes import IGNORE_INDEX
from edgeseg.deploy.machine import describe_machine
from edgeseg.device import superpixels as own
from edgeseg.files import write_atomic

Labels = NDArray[np.int32]
RADII = (1, 2, 3)
COUNT = 1498
REPEATS = 3


def ways() -> dict[str, Callable[[NDArray[np.uint8]], Labels]]:
    """Name → how."""
    return {
        "fast-slic, full size": lambda image: own.contiguous(own._fast(image, COUNT, own.COMPACTNESS)),
        "edgeseg (fast-slic, half size)": own.superpixels,
        "OpenCV SLICO, half size": _without_fast_slic,
    }


def measure(labels: Labels, truth: NDArray[np.uint8]) -> dict[str, float]:
    """Figures of one frame."""
    edges, true_edges = _boundaries(labels), _boundaries(truth)
    recall = {f"recall_{r}px": float((_grown(edges, r) & true_edges).sum() / true_edges.sum()) for r in RADII}
    known = truth != IGNORE_INDEX
    counts = np.bincount(labels[known] * 256 + truth[known], minlength=(int(labels.max()) + 1) * 256)
    pairs = (labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum()
    return {
        **recall,
        "achievable_accuracy": float(counts.reshape(-1, 256).max(1).sum() / known.sum()),
        "superpixels": int(labels.max()) + 1,
        "length": float(pairs / labels.size),
    }


def _without_fast_slic(image: NDArray[np.uint8]) -> Labels:
    former, own.has_fast_slic = own.has_fast_slic, lambda: False  # type: ignore[assignment]
    try:
        return own.superpixels(image)
    finally:
        own.has_fast_slic = former


def _boundaries(labels: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    found[1:] |= rows
    found[:-1] |= rows
    found[:, 1:] |= columns
    found[:, :-1] |= columns
    return found


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    dataset = datasets.open(parser.parse_args().data)
    found: dict[str, Any] = {}
    for name, way in ways().items():
        rows, spent = [], []
        for index in range(len(dataset)):
            image, truth = dataset.image(index), dataset.label(index)
            for _ in range(REPEATS):
                before = time.process_time()
                labels = way(image)
                spent.append(1e3 * (time.process_time() - before))
            rows.append(measure(labels, truth))
        means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        found[name] = {**means, "processor_ms_min": min(spent)}
    columns = [*(f"recall_{r}px" for r in RADII), "achievable_accuracy", "superpixels", "length", "processor_ms_min"]
    rows_text = [(name, *(f"{row[c]:.4g}" for c in columns)) for name, row in found.items()]
    text = table(("superpixels", *columns), rows_text)
    report = {"machine": describe_machine(), "frames": list(dataset.sample_ids), "ways": found}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomic(RESULTS / "superpixels.json", json.dumps(report, indent=1) + "\n")
    write_atomic(RESULTS / "superpixels.md", text)
    print(text)


if __name__ == "__main__":
    main()
