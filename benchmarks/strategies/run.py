"""What each strategy chooses and what that is worth, on labeled frames.

    edgeseg fit-prototypes M.edgeseg --data D        (any labeled frames: here each frame gets those of the others)
    edgeseg export M.edgeseg --out E --emit top2,features,logits,dropout-masks
    python -m benchmarks.strategies.run D E/M-fp32.onnx [--second OTHER.onnx]
    python -m benchmarks.strategies.time D E/M-fp32.onnx
    python -m benchmarks.strategies.report

CRF weights and class prototypes are those of all frames but the one that is scored. Budgets are shares of the
labeled pixels: what no label exists for (mostly the car's hood and the borders) is masked, but for the rows
that say otherwise. The results lie in ``benchmarks/results/strategies``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.strategies.cases import Case, cases
from benchmarks.strategies.measures import measure
from edgeseg import datasets
from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.prototypes import PROTOTYPES_KEY, PrototypeSums
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import Runner
from edgeseg.device.crf import CRF_KEY
from edgeseg.device.crf_fit import CrfFitSettings, caught_table, grid
from edgeseg.device.strategies import FrameScore, Strategy, StrategyOptions, opened
from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
from edgeseg.files import write_atomic
from edgeseg.frames import Frame
from edgeseg.modelinfo import ModelInfo
from edgeseg.progress import say

RESULTS = Path(__file__).parent.parent / "results" / "strategies"
SHARE = 0.1
JOINING = ("superpixel-crf", "class-specific")
"""Strategies that need the fitted CRF."""


@dataclass(frozen=True)
class Labeled:
    """A frame, what the model says of it, and what is true."""

    index: int
    frame: Frame
    label: NDArray[np.uint8]
    outputs: dict[str, NDArray[Any]]

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """Where there is a label."""
        return np.asarray(self.label != IGNORE_INDEX)

    def wrong(self, info: ModelInfo) -> NDArray[np.bool_]:
        """Where the model is known to be wrong."""
        return np.asarray(self.labeled & (FrameView(self.frame, self.outputs, info).class_map != self.label))

    def view(self, info: ModelInfo, case: Case, runner: Runner) -> FrameView:
        """The frame as the strategy sees it."""
        ignored = ~self.labeled if case.masked else None
        sees = (case.superpixel_px, runner.infer, ignored, maskable(runner))
        return FrameView(self.frame, self.outputs, info, *sees)


def read(runner: Runner, dataset: Dataset) -> list[Labeled]:
    """All frames."""
    found = []
    for index, name in enumerate(dataset.sample_ids):
        image = dataset.image(index)
        frame = Frame(image, name, index, None, dataset.spec)
        found.append(Labeled(index, frame, dataset.label(index), runner.infer(image)))
    return found


def without(frames: list[Labeled], info: ModelInfo) -> list[dict[str, Any]]:
    """Prototypes for each frame, of all the others."""
    found = []
    for left_out in frames:
        sums = PrototypeSums(info.class_map.num_classes, len(left_out.outputs["features"]))
        for other in frames:
            if other is not left_out:
                sums.add(other.outputs["features"], other.label, info.preprocess)
        vectors = [None if np.isnan(row).any() else row.tolist() for row in sums.means()]
        found.append({PROTOTYPES_KEY: {"vectors": vectors}})
    return found


def fitted(runner: Runner, dataset: Dataset, how: Any) -> list[dict[str, Any]]:
    """CRF weights for each frame, the best on all the others."""
    table = caught_table(runner, dataset, CrfFitSettings(SHARE, how), grid())
    rows = np.arange(len(table))
    picked = [grid()[int(table[rows != left_out].mean(0).argmax())] for left_out in rows]
    return [{CRF_KEY: {"weights": weights.to_dict()}} for weights in picked]


def ranking(strategy: Strategy, view: FrameView, score: FrameScore, case: Case) -> NDArray[np.float64] | None:
    """What the strategy ranks each pixel by."""
    if isinstance(strategy, Pixelwise) and (case.options.get("regions") or strategy.own_regions) == "pixels":
        return strategy.uncertainty(view).astype(np.float64)
    if case.strategy == "class-specific":
        return None
    # What is in no region comes last, all of it at once.
    return np.concatenate(([-1.0], score.region_values))[score.labels + 1]


def run(runner: Runner, dataset: Dataset, second_model: Path | None, only: list[str]) -> dict[str, Any]:
    """Every case (of these strategies) on every frame: case → list of measures, one a frame."""
    frames = read(runner, dataset)
    errors = [float(item.wrong(runner.info).sum() / item.labeled.sum()) for item in frames]
    prototypes = without(frames, runner.info)
    chosen = [case for case in cases(second_model) if not only or case.strategy in only]
    joins = any(case.strategy in JOINING for case in chosen)
    weights: dict[str, list[dict[str, Any]]] = {
        how: fitted(runner, dataset, how) if joins else [{}] * len(frames) for how in ("sum", "mean")
    }
    found: dict[str, Any] = {}
    for case in chosen:
        rows = []
        for item in frames:
            crf = weights[case.options.get("region_score", "sum")][item.index]
            if case.crf is not None:
                crf = {CRF_KEY: {"weights": case.crf.to_dict()}}
            view = item.view(runner.info.with_extra(**prototypes[item.index], **crf), case, runner)
            share = SHARE * float(item.labeled.mean()) if case.masked else SHARE
            with opened(case.strategy, StrategyOptions(**{**case.options, "region_share": share})) as strategy:
                score = strategy.score(view)
                order = ranking(strategy, view, score, case)
            rows.append(measure(score, order, share, item.labeled, item.wrong(runner.info)).to_dict())
        found[case.name] = rows
        say(f"{case.name}: caught {np.mean([row['caught'] for row in rows]):.3f}")
    figures = {"frames": list(dataset.sample_ids), "error_rate": errors, "cases": found}
    if joins:
        figures["crf_weights"] = {how: [entry[CRF_KEY]["weights"] for entry in rows] for how, rows in weights.items()}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="Labeled frames, such as cityscapes:PATH#val")
    parser.add_argument("model", type=Path, help="Exported with --emit top2,features,logits,dropout-masks")
    parser.add_argument("--second", type=Path, help="A second model for the committee")
    parser.add_argument("--only", action="append", default=[], help="A strategy to measure again; repeatable")
    given = parser.parse_args()
    with open_runner(given.model, threads=1) as runner:
        figures = run(runner, datasets.open(given.data), given.second, given.only)
        model = {"network": runner.info.network, "size": runner.size, "digest": runner.digest}
    if given.only:
        earlier = json.loads((RESULTS / "quality.json").read_text())
        figures["cases"] = {**earlier["cases"], **figures["cases"]}
        figures = {**earlier, **figures}
    report = {**figures, "machine": describe_machine(), "model": model, "share": SHARE}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomic(RESULTS / "quality.json", json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
