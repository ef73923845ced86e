"""Recognising runs, and what is told of those that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.errors import DataError
from edgeseg.report.kinds import KINDS, Run, read_run
from edgeseg.report.kinds.base import flat, unique


def test_an_unknown_folder_is_told_with_all_that_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        read_run(tmp_path)
    assert str(tmp_path) in str(told.value)
    assert all(kind.name in str(told.value) and kind.looks_like in str(told.value) for kind in KINDS)


def test_a_missing_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_run(tmp_path / "nothing")


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", '"text"', "[" * 100_000])
def test_a_file_of_something_else_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(DataError, match="is no run that a report can be made of"):
        read_run(tmp_path / "other.json")


def test_a_damaged_run_is_told_with_its_file_and_kind(tmp_path: Path, recorded: dict[str, dict[str, Any]]) -> None:
    path = tmp_path / "parity.json"
    path.write_text(json.dumps({**recorded["parity fp16"], "models": ["one"]}))
    with pytest.raises(DataError, match=r"parity\.json: looks like a parity report, but cannot be read"):
        read_run(path)


def test_a_line_of_metrics_that_is_cut_off_is_told(train: Callable[..., Path]) -> None:
    folder = train()
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"epoch": 3, "lo')
    with pytest.raises(DataError, match="looks like a training or distillation, but cannot be read"):
        read_run(folder)


def test_parity_that_failed_says_what_broke_and_where_they_part(
    read: Callable[..., Run], recorded: dict[str, dict[str, Any]]
) -> None:
    where = {"stage": "layer", "what": "conv_7", "detail": "off by 3 %"}
    plain = {**recorded["parity int8"], "verdict": "fail", "broken": ["region_overlap is 0.8, the bound is 0.9"]}
    run = read({**plain, "parted_at": where})
    assert run.warnings[:2] == (
        "parity failed: region_overlap is 0.8, the bound is 0.9",
        "they part at conv_7 (layer): off by 3 %",
    )


def test_parity_that_passed_has_no_warning(read: Callable[..., Run], recorded: dict[str, dict[str, Any]]) -> None:
    run = read(recorded["parity int8"])
    assert run.kind == "parity" and run.warnings == ()
    assert "98.982% of the pixels have the same class." in run.summary
    assert run.figures["change of mIoU, share"] == pytest.approx(-0.00077144, abs=1e-7)


def test_export_tells_what_a_precision_costs(read: Callable[..., Run], recorded: dict[str, dict[str, Any]]) -> None:
    run = read(recorded["export int8"])
    assert run.kind == "export" and "int8 costs 0.139 points of mIoU" in run.summary[0]
    kept = {**recorded["export int8"]["parity"], "kept_fp32": {"initial": 3}}
    assert "1 parts stay in fp32 (initial)" in read({**recorded["export int8"], "parity": kept}).warnings[0]


def test_a_check_of_a_cache_tells_the_bad_frames(read: Callable[..., Run]) -> None:
    figures = {"kl_nats": 1e-4, "kl_p99": 1e-3, "argmax_agreement": 0.99, "flip_kl_nats": 1e-3}
    run = read({"frames": 5, "frames_planned": 6, "bad": ["a: is missing"], **figures})
    assert run.lead == "5 of 6 frames are whole." and run.warnings[0].startswith("1 frame missing or damaged")


def test_evaluation_tells_few_images_and_classes_without_labels(read: Callable[..., Run]) -> None:
    plain = {"miou": 0.5, "miou_union": 0.4, "iou": {"road": 0.9, "car": 0.1, "train": None}, "ece": 0.2}
    run = read({**plain, "pixel_accuracy": 0.8, "images": 3, "data": "synthetic:3"})
    assert "3 images are few" in run.warnings[0] and "fit-temperature" in run.warnings[1]
    assert run.summary == (
        "Worst classes: car 10.0 %, road 90.0 %.",
        "Without a labeled pixel, and not in the mean: train.",
    )


def test_replay_with_much_regret_is_told(read: Callable[..., Run]) -> None:
    plain = {"frames": 10, "seconds": 10.0, "kept": 2, "worth": 1.0, "best": 4.0, "random": 0.0, "regret": 0.75}
    counts = {"reasons": {"kept": 2, "too close": 8}, "forms": {"full": 2}}
    run = read({**plain, **counts, "spent": {"frames": 9.0}, "allowed": {"frames": 2.0}})
    assert "regret 0.75: it is nearer to chance" in run.warnings[0] and "spent ahead of the pace" in run.warnings[1]


def test_flat_names_and_unique_names() -> None:
    assert flat({"a": {"b": 1, "c": {}}, "d": [2]}) == {"a.b": 1, "a.c": {}, "d": [2]}
    assert unique(["a", "b", "a"]) == ["a (1)", "b", "a (3)"]
