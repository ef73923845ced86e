"""The whole loop, as small as it goes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgeseg import datasets, demo
from edgeseg.demo.plan import FULL, QUICK
from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.runners import open_runner
from edgeseg.device.spool import SpoolReader
from edgeseg.errors import OutputError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, demo.DemoReport]:
    out = tmp_path_factory.mktemp("demo") / "run"
    return out, demo.run(out, seed=3, quick=True)


def cells(page: str) -> list[str]:
    return re.findall(r"<td>([^<]*)</td>", page)


def test_report_has_every_step_of_the_loop(finished: tuple[Path, demo.DemoReport]) -> None:
    names = [step.name for step in finished[1].steps]
    assert names == [
        "teacher erfnet", "teacher icnet", "ensemble", "student alone", "student distilled", "exported graph",
    ]  # fmt: skip
    columns, rows = finished[1].table()
    assert [row[0] for row in rows] == names and all(len(row) == len(columns) for row in rows)
    assert finished[1].steps[-1].latency_ms["p50"] > 0


def test_report_figures_are_those_of_the_models_on_the_test_drive(finished: tuple[Path, demo.DemoReport]) -> None:
    out, report = finished
    steps = {step.name: step for step in report.steps}
    test = datasets.open(QUICK.data("test", QUICK.test_frames, seed=3))
    models = {
        "teacher icnet": "teacher-icnet/best.edgeseg",
        "student alone": "student-alone/best.edgeseg",
        "exported graph": "export/best-fp32.onnx",
    }
    for name, model in models.items():
        with open_runner(out / model) as runner:
            again = evaluate(runner, test)
        assert steps[name].miou == pytest.approx(again.miou, abs=1e-6)
        assert steps[name].iou == pytest.approx(again.iou, abs=1e-6, nan_ok=True)


def test_page_has_every_section_and_the_reports_figures(finished: tuple[Path, demo.DemoReport]) -> None:
    _, report = finished
    page = report.page.read_text(encoding="utf-8")
    headings = re.findall(r"<h2>([^<]+)</h2>", page)
    assert headings == [
        "What each step gave", "Frames, class maps, entropy", "Soft labels", "Loss and mIoU curves", "Class by class",
        "Latency", "Flagged frames and regions", "Where the time went",
    ]  # fmt: skip
    for step in report.steps:
        position = cells(page).index(step.name)
        assert cells(page)[position + 2] == f"{step.miou:.3f}"


def test_page_stands_alone(finished: tuple[Path, demo.DemoReport]) -> None:
    page = finished[1].page.read_text(encoding="utf-8")
    assert "://" not in page and page.count("<script") == 1
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert all(alt for alt in re.findall(r'<img[^>]* alt="([^"]*)"', page))
    assert page.count("<img") >= 10 and page.count('<svg role="img"') >= 4


def test_report_goes_to_json(finished: tuple[Path, demo.DemoReport]) -> None:
    plain = json.loads(json.dumps(finished[1].to_dict()))
    assert plain["page"].endswith("demo.html") and len(plain["steps"]) == 6


def test_spool_holds_the_flagged_frames_whole(finished: tuple[Path, demo.DemoReport]) -> None:
    out, report = finished
    check = SpoolReader(out / "spool").verify()
    assert check.items == report.flagged == QUICK.flagged and not check.problems


def test_run_into_a_finished_folder_needs_resume(finished: tuple[Path, demo.DemoReport]) -> None:
    out, report = finished
    with pytest.raises(OutputError, match="--resume"):
        demo.run(out, seed=3, quick=True)
    again = demo.run(out, seed=3, quick=True, resume=True)
    assert [s.miou for s in again.steps] == [s.miou for s in report.steps]
    assert again.flagged == report.flagged


def test_full_size_drives_are_apart() -> None:
    specs = {FULL.data(drive, 2, seed=0) for drive in ("train", "val", "test", "drive")}
    assert len({datasets.open(spec).image(0).tobytes() for spec in specs}) == 4
    assert FULL.data("train", 2, seed=1) not in specs
