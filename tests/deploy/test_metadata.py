from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.seal import SEAL_KEY, content_digest
from edgeseg.errors import ModelError
from edgeseg.modelinfo import METADATA_KEY


def altered(path: Path, into: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of the graph with its metadata changed, and sealed anew, as if the export itself had erred."""
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            plain = json.loads(entry.value)
            change(plain)
            entry.value = json.dumps(plain)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=SEAL_KEY, value=content_digest(model.SerializeToString()))
    onnx.save(model, into)
    return into


def test_metadata_gives_the_model_info(exported, checkpoint):
    with open_runner(exported) as graph, open_runner(checkpoint) as reference:
        assert graph.info.class_map == reference.info.class_map
        assert graph.info.preprocess == reference.info.preprocess
        assert graph.info.temperature == 1.7
        assert graph.digest != reference.digest


def test_graph_without_metadata_is_refused(exported, tmp_path):
    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match=r"bare.onnx: has no edgeseg metadata"):
        open_runner(tmp_path / "bare.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["class_map"]["classes"].pop(), r"does not describe its graph \(cell_probs is .*\[1, 5, 8, 12\]"),
        (lambda p: p["preprocess"].update(height=32), "does not describe its graph .*class_map is"),
        (
            lambda p: p["extra"]["export"].update(output_names=["class_map"]),
            "does not describe its graph .*tensors are",
        ),
        (lambda p: p["extra"]["export"].update(outputs="logits"), "does not describe its graph"),
        (lambda p: p["extra"]["export"].update(frame=[9, 9]), "does not describe its graph .*frame is"),
        (lambda p: p["extra"]["export"].update(outputs="else"), "names outputs 'else'"),
        (lambda p: p["extra"]["export"].update(output_names=["class_map", "new"]), "does not know: new"),
        (lambda p: p["extra"]["export"].pop("frame"), "export record is malformed"),
        (lambda p: p["extra"].pop("export"), "no export record"),
        (lambda p: p.pop("class_map"), "metadata is malformed"),
        (lambda p: p.update(format_version=99), "newer than this edgeseg"),
    ],
)
def test_metadata_that_does_not_match_is_refused(exported, tmp_path, change, message):
    path = altered(exported, tmp_path / "altered.onnx", change)
    with pytest.raises(ModelError, match=f"(?s)altered.onnx: .*{message}"):
        open_runner(path)
