"""``edgeseg crf fit``: the weights go into the checkpoint; a graph is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgeseg.cli import app
from edgeseg.device import crf_fit
from edgeseg.device.crf import CrfWeights, fitted_weights
from edgeseg.errors import UsageError
from edgeseg.nets.checkpoint import read_info


def test_fitted_weights_go_into_the_checkpoint(checkpoint: Path, tmp_path: Path, monkeypatch: Any) -> None:
    fitted = crf_fit.CrfFit(CrfWeights(1.0, 5.0, 16.0), 0.6, 0.55, 0.5, 3, "synthetic:3")
    given: list[Any] = []
    monkeypatch.setattr(crf_fit, "fit", lambda runner, dataset, settings: given.append(settings) or fitted)
    out = tmp_path / "fitted.edgeseg"
    command = ["crf", "fit", str(checkpoint), "--data", "synthetic:3", "--frames", "3", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"model": str(out), **json.loads(json.dumps(fitted.to_dict()))}
    assert given[0].frames == 3
    info = read_info(out)
    assert fitted_weights(info) == fitted.weights
    assert info.extra["crf"]["caught_held_out"] == 0.55
    assert "crf" not in read_info(checkpoint).extra


def test_a_graph_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["crf", "fit", str(tmp_path / "m.onnx"), "--data", "synthetic:3"])
    assert isinstance(done.exception, UsageError)
    with pytest.raises(UsageError, match="an exported graph is sealed; fit the checkpoint's CRF and export it again"):
        raise done.exception
