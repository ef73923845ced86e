from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeseg.deploy.lint import lint


def model_of(nodes, inputs, outputs, opset=17, domain=""):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, None) for n, t in inputs],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])


FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "message"),
    [
        (
            [helper.make_node("MaxPool", ["x"], ["y", "i"], "pool", kernel_shape=[2, 2])],
            [("x", FLOAT)],
            [("y", FLOAT)],
            "MaxPool (pool): is not parsed with its output of indices",
        ),
        (
            [helper.make_node("MaxUnpool", ["x", "i"], ["y"], "up", kernel_shape=[2, 2])],
            [("x", FLOAT), ("i", INT64)],
            [("y", FLOAT)],
            "MaxUnpool (up): is not parsed",
        ),
        (
            [helper.make_node("Resize", ["x", "", "s"], ["y"], "r", mode="cubic")],
            [("x", FLOAT)],
            [("y", FLOAT)],
            "Resize (r): is undocumented in cubic mode",
        ),
        (
            [helper.make_node("Resize", ["x", "", "s"], ["y"], "r", mode="linear", antialias=1)],
            [("x", FLOAT)],
            [("y", FLOAT)],
            "Resize (r): is not parsed with antialias",
        ),
        (
            [helper.make_node("ScatterND", ["x", "i", "u"], ["y"], "s", reduction="add")],
            [("x", FLOAT)],
            [("y", FLOAT)],
            "ScatterND (s): is not parsed with a reduction",
        ),
        (
            [helper.make_node("ArgMax", ["x"], ["y"], "a")],
            [("x", FLOAT)],
            [("y", INT64)],
            "output y: int64 changes its type between versions; cast it to int32 or uint8",
        ),
        (
            [helper.make_node("Transpose", ["x"], ["y"], "t")],
            [("x", UINT8)],
            [("y", UINT8)],
            "Transpose (t): computes on the uint8 input; cast it first",
        ),
    ],
)
def test_finding_names_the_operator(nodes, inputs, outputs, message):
    assert lint(model_of(nodes, inputs, outputs)) == [message]


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_a_zero_point_is_found(kind):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantise"),
    ]
    model = model_of(nodes, [("x", FLOAT)], [("y", FLOAT)])
    for zero, count in ((0, 0), (3, 2)):
        del model.graph.initializer[:]
        model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1).reshape(()), "s"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(zero, kind), "z"))
        found = lint(model)
        assert len(found) == count
    assert found[0] == "QuantizeLinear (quantise): has a zero point that is not 0; quantise symmetrically"


def test_a_quantised_bias_is_found():
    model = model_of([helper.make_node("DequantizeLinear", ["b", "s"], ["y"], "bias")], [], [("y", FLOAT)])
    model.graph.initializer.append(numpy_helper.from_array(np.array([5], np.int32), "b"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "s"))
    assert lint(model) == ["DequantizeLinear (bias): dequantises int32, as of a bias; leave biases unquantised"]


@pytest.mark.parametrize(("opset", "domain"), [(18, ""), (1, "com.microsoft")])
def test_newer_opset_and_foreign_domain_are_found(opset, domain):
    found = lint(model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", FLOAT)], [("y", FLOAT)], opset, domain))
    assert len(found) == 1 and found[0].startswith(f"opset {opset} of {domain or 'ai.onnx'}")


def test_deployed_graph_is_clean(exported):
    assert lint(onnx.load(exported)) == []
