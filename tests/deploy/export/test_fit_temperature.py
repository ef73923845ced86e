from __future__ import annotations

import numpy as np
import pytest

from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.export import export
from edgeseg.deploy.export.fit_temperature import fit_temperature
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import UsageError
from edgeseg.files import digest_file
from edgeseg.nets.checkpoint import read_info


@pytest.fixture
def dataset(checkpoint, make_dataset, monkeypatch):
    """Labels drawn so that the model is right, but less often than it believes."""
    data = make_dataset(shape=(64, 96))
    rng = np.random.default_rng(0)
    with open_runner(checkpoint) as runner:
        for image, label in zip(data.images, data.labels, strict=True):
            logits = runner.infer(image)["logits"]
            label[:] = (logits / 3.0 + rng.gumbel(size=logits.shape)).argmax(0)
            label[:8] = 255
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    return data


def test_fitted_temperature_goes_into_checkpoint_graph_and_report(checkpoint, dataset, tmp_path):
    out = tmp_path / "fitted.edgeseg"
    before = digest_file(checkpoint)
    report = fit_temperature(checkpoint, "memory:2", out)
    assert report.temperature == pytest.approx(3.0, rel=0.05)
    assert report.temperature_before == 1.7 and digest_file(checkpoint) == before
    assert report.ece < report.ece_before and report.nll < report.nll_before
    info = read_info(out)
    assert info.temperature == report.temperature
    assert info.extra["temperature_fit"]["ece"] == report.ece
    assert report.model_digest == digest_file(out) != before
    with open_runner(export(out, tmp_path / "graph").path) as graph:
        assert graph.info.temperature == report.temperature


def test_ece_agrees_with_the_evaluation_before_and_after(checkpoint, dataset, tmp_path):
    report = fit_temperature(checkpoint, "memory:2", tmp_path / "fitted.edgeseg")
    for path, value in ((checkpoint, report.ece_before), (tmp_path / "fitted.edgeseg", report.ece)):
        with open_runner(path) as runner:
            assert evaluate(runner, dataset).ece == pytest.approx(value, abs=1e-5)


def test_fitting_again_changes_nothing(checkpoint, dataset, tmp_path):
    out = tmp_path / "fitted.edgeseg"
    first = fit_temperature(checkpoint, "memory:2", out)
    again = fit_temperature(out, "memory:2")
    assert again.temperature == pytest.approx(first.temperature, rel=1e-6)
    assert again.ece_before == pytest.approx(first.ece)


def test_an_exported_graph_is_refused(exported):
    with pytest.raises(UsageError, match=r"fit the checkpoint's and export it again"):
        fit_temperature(exported, "memory:2")
