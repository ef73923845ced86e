"""Kinds that read folders or many rows: caches, drives, sweeps, benchmarks, active learning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.common.items import plain_item
from edgeseg import softlabels
from edgeseg.datasets.synthetic.classes import CLASS_MAP
from edgeseg.deploy.benchmark.report import FORMAT, unmeasured_row
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.spool import Spool
from edgeseg.records import Record
from edgeseg.report import Gallery
from edgeseg.report.kinds import Run, read_run
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord

Read = Callable[..., Run]


def png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def fill(path: Path, count: int = 3) -> None:
    """A spool of frames with one region each."""
    region: dict[str, Any] = {
        "polygons": [[[0, 0], [3, 0], [3, 3]]],
        "rle": {"size": [4, 5], "counts": [0, 8, 12]},
        "class_id": 1,
        "class_name": "building",
        "score": 1.0,
        "unit": "nats",
        "area_px": 8,
        "clicks": 3,
    }
    blobs = {"image": png(np.full((4, 5, 3), 90, np.uint8)), "entropy": png(np.full((4, 5), 128, np.uint8))}
    with Spool(path) as spool:
        for number in range(count):
            spool.put(record(number, blobs, region), blobs)


def record(number: int, blobs: dict[str, bytes], region: dict[str, Any]) -> Record:
    return plain_item(number, blobs, regions=[region], strategy="superpixel")


def test_drive_shows_its_most_valuable_frames(tmp_path: Path) -> None:
    fill(tmp_path / "spool", 6)
    run = read_run(tmp_path / "spool")
    assert run.kind == "drive" and run.lead.startswith("A spool of 6 items")
    # 6 regions of 8 of 20 pixels each.
    assert "ask for 6 regions, 40.0% of their pixels, some 18 clicks" in run.summary[0]
    gallery = next(b for s in run.sections for b in s.blocks if isinstance(b, Gallery))
    assert [row[0].caption.split(":")[0] for row in gallery.rows] == ["f5", "f4", "f3", "f2"]
    assert [len(row) for row in gallery.rows] == [2] * 4


def test_drive_with_losses_warns_of_each(tmp_path: Path, read: Read) -> None:
    fill(tmp_path / "spool")
    lost = {"refused": 2, "late": 3, "unfit": 1, "unreadable": 4, "reconnects": 1}
    plain = ScoreReport(
        frames=20, kept=3, known=0, dropped=17, model_swaps=0, policy_swaps=0, troubles={"dark": 2}, interrupted=True,
        timing_ms={"network": 30.0, "total": 50.0}, spool=tmp_path / "spool", strategy="superpixel",
        model_digest="d" * 64, **lost,
    ).to_dict()  # fmt: skip
    told = "\n".join(read(plain).warnings)
    for part in (
        "2 frames of 20 were to be kept but found no room",
        "3 frames of 20 were not scored since the agent",
        "1 frame of 20 were black",
        "4 frames of 20 could not be decoded",
        "interrupted",
        "camera was lost 1 time",
        "dark: 2",
    ):
        assert part in told
    assert "20.0 frames a second" in read(plain).summary[-1]
    assert "is not here, or empty" in "\n".join(read({**plain, "spool": "/nowhere"}).warnings)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of one frame whose ensemble loses to its second member."""
    teachers = tuple(TeacherRecord(f"{name}.edgeseg", 2.0, name * 64) for name in "ab")
    iou = dict.fromkeys(CLASS_MAP.names, 0.5)
    rows = [{"model": t.model, "miou": miou, "iou": iou} for t, miou in zip(teachers, (0.3, 0.6), strict=True)]
    info = CacheInfo(CLASS_MAP, teachers, ("one", "two"), "d" * 64, softlabels.Coding().as_settings())
    probs = np.full((CLASS_MAP.num_classes, 16, 24), 0.01, np.float32)
    probs[3] = 1 - 0.01 * (len(probs) - 1)
    with CacheWriter(tmp_path / "cache", info) as writer:
        writer.put("one", probs)
        writer.put("two", probs)
        writer.set_class_weights(((0.5,) * len(probs),) * 2)
        writer.finish({"teachers": rows, "ensemble": {"miou": 0.5, "iou": iou}, "behind": ["overall"]})
    return tmp_path / "cache"


def test_cache_whose_ensemble_loses_is_told_first(cache: Path) -> None:
    run = read_run(cache)
    assert run.kind == "soft-label cache" and run.figures["frames"] == 2
    assert "the ensemble loses to its best member: overall 50.0 against 60.0 % IoU of b.edgeseg" in run.warnings[0]
    assert "50.0 %, its best member 60.0 %: -10.0 points" in run.summary[0]
    assert len(next(b for s in run.sections for b in s.blocks if isinstance(b, Gallery)).rows) == 2


def bench_row(model: str, p50: float, **more: object) -> dict[str, Any]:
    latency = dict.fromkeys(("min", "mean", "p50", "p90", "p95", "p99", "max"), p50)
    size = {"size": "64x96", "frame": "64x96", "threads": 1, "model_digest": "d", "batch": 1}
    return {**unmeasured_row(model, "onnxruntime", "no meter", "fp32"), "latency_ms": latency, **size, **more}


MACHINE = {"cpu": "Some CPU", "usable_cores": 2, "packages": {"numpy": "2.0"}, "gpus": []}


def test_benchmark_tells_untrusted_rows_once_and_why_cells_are_empty(read: Read) -> None:
    rows = [bench_row("a.onnx", 5.0, warnings=["too busy"]), bench_row("b.onnx", 4.0, warnings=["too busy"])]
    run = read({"format": FORMAT, "machine": MACHINE, "rows": rows})
    assert run.warnings == ("too busy (every row)",)
    assert "Quickest is b.onnx onnxruntime fp32 64x96 1 thread: 4.0 ms" in run.summary[0]
    assert "2 of 2 rows carry warnings" in run.summary[1]
    table = next(s for s in run.sections if s.title == "Not measured").blocks[0]
    assert ("miou", "no meter") in table.rows  # type: ignore[union-attr]


def test_benchmark_of_nothing_but_reasons_is_told(read: Read) -> None:
    run = read({"format": FORMAT, "machine": MACHINE, "rows": [unmeasured_row("a.engine", "tensorrt", "no GPU")]})
    assert run.summary == ("Nothing was timed.",) and run.figures == {}


def sweep(path: Path, rows: list[dict[str, Any]], seeds: list[int]) -> Path:
    path.mkdir()
    done = [row for row in rows if row["miou"] is not None]
    best = max(done, key=lambda row: row["miou"])
    plain = {"method": "train", "network": "enet", "seeds": seeds, "trials": len(rows), "best": best, "rows": rows}
    (path / "trials.json").write_text(json.dumps({**plain, "failed": len(rows) - len(done)}))
    space = {"optimizer.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    (path / "sweep.yaml").write_text(json.dumps({"base": {"data": "synthetic:4"}, "space": space}))
    return path


def trial(number: int, rate: float, miou: float | None, spread: float | None = 0.02) -> dict[str, Any]:
    error = None if miou is not None else "the loss is not finite"
    settings = {"optimizer.learning_rate": rate}
    return {"trial": number, "settings": settings, "miou": miou, "spread": spread, "by_seed": {}, "error": error}


def test_sweep_tells_failures_ties_and_a_best_at_the_edge(tmp_path: Path) -> None:
    rows = [trial(1, 0.01, 0.50), trial(2, 0.1, 0.51), trial(3, 0.05, None)]
    run = read_run(sweep(tmp_path / "sweep", rows, [0, 1]))
    assert "1 of 3 trials failed, the first with: the loss is not finite" in run.warnings[0]
    assert "nearer to each other than the seeds' spread" in run.warnings[1]
    assert "the best optimizer.learning_rate (0.1) lies at the edge" in run.warnings[2]
    assert "Best is trial 2" in run.summary[0]


def test_sweep_of_one_seed_is_told(tmp_path: Path) -> None:
    # 0.0015 is far from the edge of a logarithmic range from 0.001.
    rows = [trial(1, 0.01, 0.50, None), trial(2, 0.0015, 0.60, None)]
    (told,) = read_run(sweep(tmp_path / "sweep", rows, [0])).warnings
    assert told.startswith("one seed a trial")


def row(strategy: str, seed: int, number: int, miou: float) -> dict[str, Any]:
    share = 0.1 if strategy != "full" else 1.0
    spent = {"labeled_pixels": 1000, "labeled_share": share, "clicks": 10}
    return {"strategy": strategy, "seed": seed, "round": number, **spent, "miou": miou}


def test_active_learning_is_held_against_random_and_all_labels(tmp_path: Path) -> None:
    found = {"entropy": (0.56, 0.58), "random": (0.50, 0.52), "margin": (0.40, 0.42), "full": (0.60, 0.60)}
    rows = [row(name, seed, 1, miou) for name, mious in found.items() for seed, miou in enumerate(mious)]
    (tmp_path / "rows.json").write_text(json.dumps({"rows": rows}))
    run = read_run(tmp_path)
    assert run.kind == "active learning" and run.warnings == ("below random: margin",)
    assert run.summary == (
        "Best is entropy: mIoU 57.0 % with 10.0% of the pixels labeled.",
        "Random reaches 51.0 %: +6.0 points.",
        "All labels give 60.0 %, so entropy reaches 95.0% of full supervision.",
    )


def test_active_learning_within_chance_is_told(read: Read) -> None:
    found = (("entropy", 0.50, 0.60), ("random", 0.53, 0.55))
    rows = [row(name, seed, 1, miou) for name, *mious in found for seed, miou in enumerate(mious)]
    assert "beats random by 1.0 points, less than the seeds' spread of 7.1" in read({"rows": rows}).warnings[0]
    assert "nothing says that choosing is worth it" in read({"rows": rows[:2]}).warnings[0]


def test_strategies_that_made_the_model_worse_are_named(read: Read) -> None:
    found = {"entropy": (0.45, 0.42), "random": (0.45, 0.46)}
    rows = [row(name, 0, number, miou) for name, mious in found.items() for number, miou in enumerate(mious)]
    told = read({"rows": rows}).warnings[-1]
    assert "ended below where they began, in points: entropy by 3.0" in told and "--rest ignore" in told
    assert "random by" not in told
