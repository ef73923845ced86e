from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseg import softlabels
from edgeseg.errors import CacheError
from edgeseg.softlabels import CacheInfo, CacheWriter, SoftLabels, check_gate, shortfalls


def figures(miou: float, **iou: float | None) -> dict[str, Any]:
    return {"miou": miou, "iou": iou}


def gate(ensemble: dict[str, Any]) -> dict[str, Any]:
    one = {"model": "one.edgeseg", **figures(0.5, sky=0.9, road=0.4, car=0.2, tree=None)}
    two = {"model": "two.edgeseg", **figures(0.4, sky=0.3, road=0.6, car=0.3, tree=None)}
    return {"teachers": [one, two], "ensemble": ensemble}


BETTER = gate(figures(0.6, sky=0.9, road=0.6, car=0.3, tree=None))
WORSE = gate(figures(0.45, sky=0.91, road=0.55, car=0.1, tree=None))


@pytest.fixture
def make(tmp_path: Path, info: CacheInfo):  # type: ignore[no-untyped-def]
    def cache(figures: dict[str, Any]) -> SoftLabels:
        with CacheWriter(tmp_path / "c", replace(info, sample_ids=())) as writer:
            writer.finish(figures)
        return softlabels.open(tmp_path / "c")

    return cache


def test_shortfalls_are_told_overall_and_by_class() -> None:
    assert [str(lost) for lost in shortfalls(WORSE)] == [
        "overall 45.0 against 50.0 % IoU of one.edgeseg",
        "road 55.0 against 60.0 % IoU of two.edgeseg",
        "car 10.0 against 30.0 % IoU of two.edgeseg",
    ]


def test_equal_is_no_shortfall() -> None:
    assert shortfalls(BETTER) == []
    assert shortfalls({}) == []


def test_ensemble_that_wins_passes_in_silence(make, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    check_gate(make(BETTER), require_gain=True)
    assert capsys.readouterr().err == ""


def test_ensemble_that_loses_is_a_warning(make, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    check_gate(make(WORSE))
    warned = capsys.readouterr().err
    assert "warning: " in warned
    assert "the ensemble loses to its best member: overall 45.0 against 50.0 % IoU of one.edgeseg, road" in warned


def test_ensemble_that_loses_is_refused_on_demand(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CacheError, match=r"loses to its best member: overall 45\.0 .*without --require-ensemble-gain"):
        check_gate(make(WORSE), require_gain=True)


def test_long_lists_are_cut(make, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    names = [f"class{i}" for i in range(9)]
    teacher = {"model": "one.edgeseg", **figures(0.5, **dict.fromkeys(names, 0.5))}
    check_gate(make({"teachers": [teacher], "ensemble": figures(0.4, **dict.fromkeys(names, 0.4))}))
    assert "class3 40.0 against 50.0 % IoU of one.edgeseg and in 5 more classes" in capsys.readouterr().err


def test_cache_of_unlabeled_frames_cannot_show_a_gain(make) -> None:  # type: ignore[no-untyped-def]
    cache = make({})
    check_gate(cache)
    with pytest.raises(CacheError, match=r"unknown, since its frames have no labels"):
        check_gate(cache, require_gain=True)
