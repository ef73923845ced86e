from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgeseg.deploy.export import export
from edgeseg.deploy.lint import lint
from edgeseg.deploy.parity import parity
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.precision.fp16 import SENSITIVE, to_fp16
from edgeseg.deploy.precision.network import network_nodes
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ModelError

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


@pytest.fixture(scope="module")
def half(exported_with_logits):
    return to_fp16(onnx.load(exported_with_logits))


def types_of(model):
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    found = {v.name: v.type.tensor_type.elem_type for v in (*inferred.value_info, *inferred.output, *inferred.input)}
    return found | {w.name: w.data_type for w in model.graph.initializer}


def test_network_is_typed_fp16_and_the_rest_stays_fp32(half):
    onnx.checker.check_model(half, full_check=True)
    assert lint(half) == []
    types = types_of(half)
    convolutions = [n for n in half.graph.node if n.op_type in ("Conv", "ConvTranspose", "PRelu")]
    assert convolutions and {types[name] for n in convolutions for name in (*n.input, *n.output)} == {HALF}
    outside = [n for n in half.graph.node if n.op_type in SENSITIVE or n.name.startswith("/preprocess/")]
    assert HALF not in {types[name] for n in outside for name in (*n.input, *n.output) if name}


def test_inputs_and_outputs_are_unchanged(half, exported_with_logits):
    source = onnx.load(exported_with_logits)
    assert list(half.graph.input) == list(source.graph.input)
    assert list(half.graph.output) == list(source.graph.output)


def test_weights_are_the_nearest_half_and_stand_once(half, exported_with_logits):
    source = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(exported_with_logits).graph.initializer}
    halves = [w for w in half.graph.initializer if w.name.endswith("_fp16") and w.name[:-5] in source]
    assert len(halves) > 50
    for weight in halves:
        assert np.array_equal(onnx.numpy_helper.to_array(weight), source[weight.name[:-5]].astype(np.float16))
    used = {name for node in half.graph.node for name in node.input}
    assert {w.name for w in half.graph.initializer} <= used


def test_a_tensor_is_cast_once_in_each_direction(half):
    casts = [(n.input[0], n.attribute[0].i) for n in half.graph.node if n.op_type == "Cast"]
    assert len(casts) == len(set(casts))


def test_original_is_left_alone(exported_with_logits):
    model = onnx.load(exported_with_logits)
    before = model.SerializeToString()
    to_fp16(model)
    assert model.SerializeToString() == before


def test_export_gives_a_graph_close_to_fp32(checkpoint, exported, tmp_path, make_dataset, monkeypatch):
    report = export(checkpoint, tmp_path, lower=PrecisionSettings("fp16"))
    assert report.path.name == "small-fp16.onnx" and report.record.precision == "fp16"
    cost = report.record.parity["precision_cost"]
    assert cost["disagreement"] < 0.02 and cost["region_overlap"] > 0.9
    assert report.bytes < 0.7 * exported.stat().st_size
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: make_dataset())
    compared = parity(exported, report.path, "memory")
    assert compared.models[1]["precision"] == "fp16"
    assert compared.argmax_agreement > 0.98


def test_plain_network_is_converted_too(checkpoint, tmp_path, frame):
    report = export(checkpoint, tmp_path, outputs="logits", lower=PrecisionSettings("fp16"))
    with open_runner(report.path) as graph, open_runner(checkpoint) as reference:
        a, b = graph.infer(frame)["logits"], reference.infer(frame)["logits"]
    assert a.dtype == np.float32
    assert 0 < np.abs(a - b).mean() < 0.05 * np.abs(b).mean()


def test_a_weight_beyond_the_range_is_named(exported_with_logits):
    model = onnx.load(exported_with_logits)
    weight = next(w for w in model.graph.initializer if w.name.endswith("classifier.weight"))
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1e7), weight.name))
    with pytest.raises(ModelError, match=r"weight net.classifier.weight: .* beyond fp16's 65504; export it in fp32"):
        to_fp16(model)


def test_a_graph_without_logits_is_refused(exported):
    model = onnx.load(exported)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["scores" if name == "logits" else name for name in names]
    with pytest.raises(ModelError, match="no tensor named logits"):
        network_nodes(model)
