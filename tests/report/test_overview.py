"""The page of one run, and of several side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgeseg.errors import DataError, UsageError
from edgeseg.report import Page, Table
from edgeseg.report.overview import report

Train = Callable[..., Path]
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """Counts tags, and collects handlers and addresses in attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        self.handlers: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def side_by_side(page: Page) -> tuple[Table, Table]:
    tables = [block for block in page.sections[0].blocks if isinstance(block, Table)]
    return tables[0], tables[1]


def test_page_of_one_run_stands_alone(train: Train, tmp_path: Path) -> None:
    page = report([train(miou=(0.1, 0.2))], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.title == "run" and page.eyebrow == "training"
    assert all(source.startswith(("data:", "#")) for source in Tags(text).sources)


def test_two_runs_are_held_against_each_other(train: Train, tmp_path: Path) -> None:
    a, b = train("a", miou=(0.1, 0.2)), train("b", miou=(0.1, 0.3), optimizer={"learning_rate": 0.1})
    page = report([a, b], tmp_path / "page.html")
    figures, settings = side_by_side(page)
    assert figures.rows[0] == ("best validation mIoU", 0.2, 0.3, "+0.1 (+50.0%)")
    assert settings.rows == (("optimizer.learning_rate", "not there", "0.1"),)
    assert not any("must not be compared" in text for text in page.warnings)


def test_runs_of_other_data_and_size_are_not_to_be_compared(train: Train, tmp_path: Path) -> None:
    page = report([train("a"), train("b", data="synthetic:5", height=64)], tmp_path / "page.html")
    told = [text for text in page.warnings if "must not be compared" in text]
    assert told == [
        "the runs differ in data, so their figures must not be compared as they stand (a: synthetic:4; b: synthetic:5)",
        "the runs differ in size, so their figures must not be compared as they stand (a: 32x48; b: 64x48)",
    ]
    # They stand before what is told of each run alone.
    assert page.warnings[:2] == tuple(told)


def test_runs_of_two_kinds_stand_one_after_the_other(train: Train, tmp_path: Path) -> None:
    evaluation = {"miou": 0.5, "miou_union": 0.5, "iou": {"road": 0.5}, "pixel_accuracy": 0.5, "images": 50}
    (tmp_path / "eval.json").write_text(json.dumps(evaluation))
    page = report([train("a"), tmp_path / "eval.json"], tmp_path / "page.html")
    assert not any(section.title.startswith("Side by side") for section in page.sections)
    assert "runs of 2 kinds" in page.warnings[-1]
    assert {section.title.split(":")[0] for section in page.sections} == {"a", "eval"}


def test_what_comes_from_files_is_shown_as_text(train: Train, tmp_path: Path) -> None:
    folder = train("a", network=NASTY, data=f"camvid:{NASTY}", val=NASTY, **{NASTY: NASTY})
    evaluation = {"miou": 0.5, "miou_union": 0.5, "iou": {NASTY: 0.5}, "pixel_accuracy": 0.5, "images": 50}
    (tmp_path / "eval.json").write_text(json.dumps(evaluation))
    report([folder, tmp_path / "eval.json"], tmp_path / "page.html")
    tags = Tags((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert tags.scripts == 1 and tags.handlers == [] and "x" not in tags.sources


def test_no_run_at_all_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name at least one run"):
        report([], tmp_path / "page.html")


def test_nothing_is_written_where_one_run_is_unknown(train: Train, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        report([train("a"), tmp_path / "nothing"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
