"""The seal: whatever changes in the file, everything that runs a graph refuses it."""

from __future__ import annotations

import json
import re
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


def drop_metadata(model):
    del model.metadata_props[:]


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


TRTEXEC = (
    "[I] Throughput: 1.5 qps\n"
    "[I] Latency: min = 1 ms, max = 2 ms, mean = 1.5 ms, median = 1.5 ms, percentile(99%) = 2 ms\n"
)
COMMANDS = (
    "eval BAD --data synthetic:1",
    "eval BAD --data synthetic:1 --backend openvino",
    "predict BAD IMAGE --out OUT",
    "score IMAGE --model BAD --strategy entropy --spool OUT",
    "score IMAGE --model GOOD --strategy committee --committee BAD --spool OUT",
    "policy replay IMAGE --model BAD",
    "bench BAD --iterations 1 --warm-up 0",
    "bench BAD --iterations 1 --warm-up 0 --backend openvino",
    "bench trtexec LOG --model BAD",
    "parity BAD GOOD --data synthetic:1",
    "parity GOOD BAD --data synthetic:1",
    "parity CHECKPOINT BAD --data synthetic:1",
    "export BAD --openvino --out OUT",
    "cache build --teacher BAD:1 --data synthetic:1 --out OUT/cache",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("change", "told"),
    [(scale_weight, ALTERED), (drop_metadata, "has no (seal of edgeseg export|edgeseg metadata).*export")],
    ids=["altered", "bare"],
)
def test_every_command_that_runs_a_graph_refuses_it_with_one_message(
    exported, checkpoint, tmp_path, command, change, told
):
    if "openvino" in command:
        pytest.importorskip("openvino")
    model = onnx.load(exported)
    change(model)
    onnx.save(model, tmp_path / "bad.onnx")
    cv2.imwrite(str(tmp_path / "frame.png"), np.zeros((64, 96, 3), np.uint8))
    (tmp_path / "log.txt").write_text(TRTEXEC)
    names = {
        "BAD": tmp_path / "bad.onnx",
        "GOOD": exported,
        "CHECKPOINT": checkpoint,
        "IMAGE": tmp_path / "frame.png",
        "LOG": tmp_path / "log.txt",
        "OUT": tmp_path / "out",
    }
    words = re.sub("|".join(names), lambda found: str(names[found[0]]), command).split()
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ModelError), error
    assert re.search(f"bad.onnx: {told}", str(error)) and "\n" not in str(error)
