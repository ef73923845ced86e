"""Compares two models on the same frames at the network's h×w and gives a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg import datasets
from edgeseg.datasets import Dataset
from edgeseg.deploy.metadata import EXPORT_KEY
from edgeseg.deploy.parity.locate import Parting, locate
from edgeseg.deploy.parity.tally import Tally
from edgeseg.deploy.parity.tolerance import RANKED_FRAMES, ParityTolerance, tolerance_for
from edgeseg.deploy.parity.view import frame_says, seen_label
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import Runner
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.errors import DataError, ModelError
from edgeseg.progress import track


@dataclass(frozen=True)
class ParityReport:
    """How far two models are apart.

    Attributes:
        max_abs_logit_error: Largest |Δlogit|, None where a model gives no logits.
        mean_abs_logit_error: Mean |Δlogit|, None likewise.
        mean_abs_logit: Mean |logit| of the first model, to read the errors by.
        argmax_agreement: Share of pixels whose class is the same.
        miou_a, miou_b: Mean IoU at h×w, to which labels go by nearest neighbour; None without labels.
        delta_miou: ``miou_b - miou_a``, a share: 0.01 is one point.
        delta_iou: Class name → the same of one class.
        frame_rank_correlation: Spearman's ρ of the frames' entropies, None for fewer than two frames.
        region_overlap: Share of the most uncertain tenth of the 32-pixel cells that both choose.
        verdict: ``pass`` or ``fail``.
        broken: Every bound that is not held, with figure and bound.
        parted_at: Where the two part, None unless the verdict is ``fail``.
        frames: Number of frames.
        size: The network's h×w.
        tolerance: The bounds.
        models: Path, digest and precision of both, and how each was run: ``as written`` or by its runtime.
        data: The dataset's description.
    """

    max_abs_logit_error: float | None
    mean_abs_logit_error: float | None
    mean_abs_logit: float | None
    argmax_agreement: float
    miou_a: float | None
    miou_b: float | None
    delta_miou: float | None
    delta_iou: dict[str, float | None]
    frame_rank_correlation: float | None
    region_overlap: float
    verdict: str
    broken: tuple[str, ...]
    parted_at: Parting | None
    frames: int
    size: str
    tolerance: ParityTolerance
    models: tuple[dict[str, str], dict[str, str]]
    data: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def parity(
    a: Path,
    b: Path,
    data: str,
    bounds: Mapping[str, float] | None = None,
    frames: int | None = None,
    as_run: bool = False,
) -> ParityReport:
    """Compares two models on the frames of a dataset.

    Args:
        a: The reference, ``.edgeseg`` or ``.onnx``; a checkpoint takes the other's size.
        b: What is held against it.
        data: ``LAYOUT:PATH[#SPLIT]``; labels are used where there are any.
        bounds: Field of ``ParityTolerance`` → value, where it shall not be that of the less precise of the two.
        frames: At most so many frames, None for all.
        as_run: Whether graphs of a lower precision are run as the runtime runs them, and not as written.

    Raises:
        ConfigError: A bound is out of range.
        DataError: The dataset is empty or cannot be read.
        ModelError: A model cannot be opened, or their sizes or classes differ.
    """
    dataset = datasets.open(data)
    count = min(len(dataset), frames or len(dataset))
    if not count:
        raise DataError(f"{data}: holds no frames to compare on")
    with ExitStack() as stack:
        first, second = (stack.enter_context(runner) for runner in _open_both(a, b, as_run))
        _require_comparable(first, second, a, b)
        tolerance = replace(tolerance_for(precision_of(first), precision_of(second)), **(bounds or {}))
        tally = Tally(first.info.class_map.num_classes)
        labeled = dataset.has_labels and first.info.class_map.same_classes(dataset.class_map)
        for index in track(range(count), "comparing"):
            _add(tally, dataset, index, first, second, labeled)
        broken = _broken(tally, tolerance)
        parting = locate(first, second, a, b, dataset.image(tally.worst[0])) if broken else None
        return _report(tally, tolerance, broken, parting, (first, second), (a, b), dataset)


def precision_of(runner: Runner) -> str:
    """The precision that a model was exported in; a checkpoint is ``fp32``."""
    return str(runner.info.extra.get(EXPORT_KEY, {}).get("precision", "fp32"))


def _run(runner: Runner) -> str:
    return "as written" if getattr(runner, "as_written", False) else runner.backend


def _open_both(a: Path, b: Path, as_run: bool) -> tuple[Runner, Runner]:
    """Opens both; a checkpoint beside an exported graph takes the graph's size."""
    if a.suffix == ".edgeseg" != b.suffix:
        second = _open(b, as_run)
        return open_runner(a, size=second.size), second
    first = _open(a, as_run)
    return first, open_runner(b, size=first.size) if b.suffix == ".edgeseg" else _open(b, as_run)


def _open(path: Path, as_run: bool) -> Runner:
    """A lower precision is run as written: onnxruntime leaves out most of fp16's roundings on a processor."""
    runner = open_runner(path)
    if as_run or path.suffix != ".onnx" or precision_of(runner) == "fp32":
        return runner
    runner.close()
    return OnnxRuntimeRunner(path, as_written=True)


def _require_comparable(first: Runner, second: Runner, a: Path, b: Path) -> None:
    if first.size != second.size:
        sizes = ["{}x{}".format(*runner.size) for runner in (first, second)]
        raise ModelError(f"{a} is of size {sizes[0]}, {b} of {sizes[1]}; export one of them again with --size")
    if not first.info.class_map.same_classes(second.info.class_map):
        raise ModelError(f"{a} and {b} have different classes; parity holds two forms of one model against each other")


def _add(tally: Tally, dataset: Dataset, index: int, first: Runner, second: Runner, labeled: bool) -> None:
    image = dataset.image(index)
    says = [frame_says(runner.infer(image), runner.info.temperature) for runner in (first, second)]
    tally.add(says[0], says[1])
    if labeled:
        label = seen_label(dataset.label(index), first.info.preprocess, (image.shape[0], image.shape[1]))
        tally.add_label(label, says[0], says[1])


def _broken(tally: Tally, bounds: ParityTolerance) -> tuple[str, ...]:
    before, after = tally.miou()
    delta = None if before is None or after is None else after - before
    rank = tally.rank_correlation if tally.frames >= RANKED_FRAMES else None
    checks = [
        ("argmax_agreement", tally.agreement, bounds.agreement, tally.agreement >= bounds.agreement),
        ("delta_miou", delta, bounds.delta_miou, delta is None or abs(delta) <= bounds.delta_miou),
        ("frame_rank_correlation", rank, bounds.rank_correlation, rank is None or rank >= bounds.rank_correlation),
        ("region_overlap", tally.overlap, bounds.region_overlap, tally.overlap >= bounds.region_overlap),
    ]
    if bounds.logit is not None and tally.mean_abs_logit_error is not None:
        limit = bounds.logit * max(tally.mean_abs_logit or 0.0, 1e-6)
        checks.append(("mean_abs_logit_error", tally.mean_abs_logit_error, limit, tally.mean_abs_logit_error <= limit))
    return tuple(f"{name} is {value:.5g}, the bound is {bound:.5g}" for name, value, bound, held in checks if not held)


def _report(
    tally: Tally,
    bounds: ParityTolerance,
    broken: tuple[str, ...],
    parting: Parting | None,
    runners: tuple[Runner, Runner],
    paths: tuple[Path, Path],
    dataset: Dataset,
) -> ParityReport:
    before, after = tally.miou()
    described = [
        {"path": str(path), "digest": runner.digest, "precision": precision_of(runner), "run": _run(runner)}
        for path, runner in zip(paths, runners, strict=True)
    ]
    return ParityReport(
        max_abs_logit_error=tally.max_abs_logit_error,
        mean_abs_logit_error=tally.mean_abs_logit_error,
        mean_abs_logit=tally.mean_abs_logit,
        argmax_agreement=tally.agreement,
        miou_a=before,
        miou_b=after,
        delta_miou=None if before is None or after is None else after - before,
        delta_iou=dict(zip(runners[0].info.class_map.names, tally.delta_iou(), strict=True)),
        frame_rank_correlation=tally.rank_correlation,
        region_overlap=tally.overlap,
        verdict="fail" if broken else "pass",
        broken=broken,
        parted_at=parting,
        frames=tally.frames,
        size="{}x{}".format(*runners[0].size),
        tolerance=bounds,
        models=(described[0], described[1]),
        data=dataset.spec,
    )
