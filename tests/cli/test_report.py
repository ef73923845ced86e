"""``edgeseg report``, as on a machine with the base install and the extra ``report``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import softlabels
from edgeseg.datasets.synthetic.classes import CLASS_MAP
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord

Run = Callable[..., "subprocess.CompletedProcess[str]"]
BASE = str(Path(__file__).with_name("base_only.py"))


@pytest.fixture
def training(tmp_path: Path) -> Path:
    lines = [{"epoch": n, "loss": 1.0, "ce": 1.0, "images_per_s": 9.0, "miou": 0.1 * n} for n in (1, 2)]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "run" / "config.yaml").write_text("{network: enet, data: 'synthetic:3', epochs: 2}")
    return tmp_path / "run"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    teachers = (TeacherRecord("a.edgeseg", 2.0, "a" * 64),)
    info = CacheInfo(CLASS_MAP, teachers, (), "d" * 64, softlabels.Coding().as_settings())
    with CacheWriter(tmp_path / "cache", info) as writer:
        writer.finish({})
    return tmp_path / "cache"


def test_report_needs_no_torch(run: Run, training: Path, cache: Path, exported: Path, tmp_path: Path) -> None:
    runs = (training, cache, exported.with_suffix(".json"))
    done = run("report", *runs, "--out", tmp_path / "page.html", "--json", program=(BASE, "+report"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == {"page", "title", "warnings", "summary"}
    assert any("ensemble beats its members is not known" in text for text in found["warnings"])
    assert "<!DOCTYPE html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_report_without_its_extra_names_it(run: Run, training: Path, tmp_path: Path) -> None:
    done = run("report", training, "--out", tmp_path / "page.html", program=(BASE,))
    assert done.returncode == 1
    assert "pip install 'edgeseg[report]'" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "page.html").exists()


def test_report_of_an_unknown_folder_is_one_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("report", tmp_path / "empty", program=(BASE, "+report"))
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "empty: is no run that a report can be made of. Known are: a sweep" in done.stderr


def test_report_tells_warnings_on_stderr_and_the_page_on_stdout(run: Run, training: Path, tmp_path: Path) -> None:
    (training / "config.yaml").write_text("{network: enet, epochs: 9}")
    done = run("report", training, "--out", tmp_path / "page.html", program=(BASE, "+report"))
    assert done.stdout == f"page: {tmp_path / 'page.html'}\n"
    assert "warning: only 2 of 9 epochs are done" in done.stderr
