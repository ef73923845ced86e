"""The seal: whatever changes in the file, everything that runs a graph refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from edgeseg.cli import app
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.seal import SEAL_KEY, content_digest, require_sealed
from edgeseg.errors import ModelError
from edgeseg.modelinfo import METADATA_KEY

ALTERED = "was altered after its export, so nothing that it says about itself can be trusted; export it again"


def scale_weight(model):
    weight = next(w for w in model.graph.initializer if w.name.endswith("classifier.weight"))
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1.0001), weight.name))


def rename_class(model):
    entry = next(e for e in model.metadata_props if e.key == METADATA_KEY)
    entry.value = entry.value.replace('"car"', '"bus"')


def shift_mean(model):
    entry = next(e for e in model.metadata_props if e.key == METADATA_KEY)
    plain = json.loads(entry.value)
    plain["preprocess"]["mean"][0] += 1e-3
    entry.value = json.dumps(plain)


def change_producer(model):
    model.producer_name = "someone else"


@pytest.fixture(params=[scale_weight, rename_class, shift_mean, change_producer], ids=lambda f: f.__name__)
def altered(request, exported, tmp_path) -> Path:
    model = onnx.load(exported)
    request.param(model)
    onnx.save(model, tmp_path / "altered.onnx")
    return tmp_path / "altered.onnx"


def test_an_altered_graph_is_refused(altered):
    with pytest.raises(ModelError, match=f"altered.onnx: {ALTERED}"):
        open_runner(altered)


def test_a_graph_without_seal_is_refused(exported, tmp_path):
    model = onnx.load(exported)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match=r"bare.onnx: has no seal of edgeseg export.*export it again"):
        open_runner(tmp_path / "bare.onnx")


def test_saving_a_graph_unchanged_keeps_its_seal(exported, tmp_path):
    onnx.save(onnx.load(exported), tmp_path / "copy.onnx")
    require_sealed((tmp_path / "copy.onnx").read_bytes(), "copy")


def test_digest_is_that_of_the_file_without_the_seal(exported):
    model = onnx.load(exported)
    sealed = next(e.value for e in model.metadata_props if e.key == SEAL_KEY)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    assert content_digest(model.SerializeToString()) == sealed == content_digest(exported.read_bytes())


@pytest.mark.parametrize("cut", [1, 1000, 100_000])
def test_a_truncated_file_is_refused(exported, cut):
    with pytest.raises(ModelError, match="export it again"):
        require_sealed(exported.read_bytes()[:-cut], "cut.onnx")


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x07", b"\x08", b"\x0a\x7fabc"])
def test_what_is_no_graph_has_no_seal(content):
    with pytest.raises(ModelError, match=r"x\.onnx: has no seal"):
        require_sealed(content, "x.onnx")


def test_every_command_that_runs_a_graph_refuses_it_with_one_message(exported, tmp_path, commands_on):
    model = onnx.load(exported)
    scale_weight(model)
    onnx.save(model, tmp_path / "altered.onnx")
    for words in commands_on(tmp_path / "altered.onnx"):
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, ModelError), (words, error)
        assert ALTERED in str(error) and "\n" not in str(error)


@pytest.fixture
def commands_on(tmp_path):
    image = tmp_path / "frame.png"
    cv2.imwrite(str(image), np.zeros((64, 96, 3), np.uint8))

    def commands(model: Path) -> list[list[str]]:
        name, out = str(model), str(tmp_path / "out")
        return [
            ["eval", name, "--data", "synthetic:1"],
            ["predict", name, str(image), "--out", out],
            ["score", str(image), "--model", name, "--strategy", "entropy", "--spool", out],
            ["bench", name, "--iterations", "1", "--warm-up", "0"],
        ]

    return commands
