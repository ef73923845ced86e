"""fp16 as written, against numpy's halves."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeseg.deploy.export import export
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.rounding import EXACT, with_roundings
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


@pytest.fixture(scope="module")
def half(checkpoint, tmp_path_factory):
    return export(checkpoint, tmp_path_factory.mktemp("half"), lower=PrecisionSettings("fp16"), emit=("logits",)).path


def two_products(first: float, second: float) -> onnx.ModelProto:
    """x · first · second by two 1×1 convolutions in fp16."""
    weights = [np.full((1, 1, 1, 1), value, np.float16) for value in (first, second)]
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], "to_half", to=HALF),
        helper.make_node("Conv", ["a", "first"], ["b"], "one"),
        helper.make_node("Conv", ["b", "second"], ["c"], "two"),
        helper.make_node("Cast", ["c"], ["y"], "to_float", to=FLOAT),
    ]
    tensors = [helper.make_tensor_value_info(name, FLOAT, [1, 1, 1, 3]) for name in "xy"]
    stored = [numpy_helper.from_array(w, name) for w, name in zip(weights, ("first", "second"), strict=True)]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("values", [[0.1, 1 / 3, 7e-3], [1000.0, 2.0, 3.0]])
def test_every_result_is_rounded_and_may_overflow(values):
    x = np.array(values, np.float32).reshape(1, 1, 1, 3)
    model = two_products(1000.0, 0.001)
    with np.errstate(over="ignore"):
        once = (x.astype(np.float16).astype(np.float32) * 1000).astype(np.float16)
        expected = (once.astype(np.float32) * np.float32(np.float16(0.001))).astype(np.float16).astype(np.float32)
    assert np.array_equal(run(with_roundings(model), x), expected)


def test_a_graph_without_halves_is_given_back(exported):
    model = onnx.load(exported)
    assert with_roundings(model) is model


def test_every_half_tensor_of_a_network_holds_halves(half, frame):
    model = onnx.load(half)
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    names = [v.name for v in inferred if v.type.tensor_type.elem_type == HALF]
    with OnnxRuntimeRunner(half, as_written=True) as runner:
        values = GraphProbe(model, runner.info, "graph").read(frame, names)
    assert len(names) > 100
    for name, value in values.items():
        assert value.dtype == np.float32 and np.array_equal(value, value.astype(np.float16)), name


def test_operators_taken_for_exact_are(half, frame):
    """Left unrounded they must give halves all the same: the test above covers those that the network has."""
    present = {node.op_type for node in onnx.load(half).graph.node}
    assert {"Concat", "Relu", "Where", "Reshape"} & present <= EXACT


def test_as_written_differs_from_what_the_runtime_makes_of_it(half, frame):
    with OnnxRuntimeRunner(half, as_written=True) as written, OnnxRuntimeRunner(half) as plain:
        a, b = written.infer(frame)["logits"], plain.infer(frame)["logits"]
    assert 0 < np.abs(a - b).mean() < 0.02 * np.abs(b).mean()
