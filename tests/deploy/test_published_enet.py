"""The published ENet on real frames, through import, evaluation and export."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg import datasets
from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.export import export
from edgeseg.deploy.runners import open_runner
from edgeseg.nets.importing import import_published


@pytest.fixture(scope="module")
def published(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "enet.edgeseg"
    import_published(test_data / "pretrained" / "enet_cityscapes_torch7.net", "enet-torch7", path)
    return path


def test_figures_are_those_of_an_independent_implementation(published, test_data):
    dataset = datasets.open(f"cityscapes:{test_data / 'data' / 'cityscapes'}#val")
    with open_runner(published) as runner:
        assert runner.size == (512, 1024)
        report = evaluate(runner, dataset)
    assert report.images == 5
    assert report.miou == pytest.approx(0.55, abs=0.005)
    assert report.pixel_accuracy == pytest.approx(0.948, abs=0.005)
    assert 0 < report.ece < 0.2


def test_exported_graph_agrees_on_real_frames(published, test_data, tmp_path):
    spec = f"cityscapes:{test_data / 'data' / 'cityscapes'}#val"
    report = export(published, tmp_path, frame=(1024, 2048), data=spec)
    assert report.record.parity["frames_from"] == spec
    assert report.record.parity["argmax_agreement"] > 0.9999
    assert report.record.parity["p95_abs_logit_error"] < 1e-3
    with open_runner(report.path) as runner:
        figures = evaluate(runner, datasets.open(spec))
    # Class maps by nearest neighbour cost a little.
    assert figures.miou == pytest.approx(0.55, abs=0.01)
