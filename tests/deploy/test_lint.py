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


def cast(source, target, kind, name="cast"):
    return helper.make_node("Cast", [source], [target], name, to=kind)


BEFORE_LAST = "uint8 is for inputs and outputs alone, so cast to it last"
INNER = [
    (
        [cast("x", "a", UINT8), helper.make_node("Add", ["a", "a"], ["b"], "sum"), cast("b", "y", FLOAT, "back")],
        FLOAT,
        [
            f"Cast (cast): makes uint8 that Add (sum) reads; {BEFORE_LAST}",
            f"Add (sum): makes uint8 that Cast (back) reads; {BEFORE_LAST}",
        ],
    ),
    (
        [cast("x", "a", UINT8), helper.make_node("Transpose", ["a"], ["y"], "turn")],
        UINT8,
        [f"Cast (cast): makes uint8 that Transpose (turn) reads; {BEFORE_LAST}"],
    ),
    (
        [cast("x", "a", UINT8), cast("a", "y", FLOAT, "back")],
        FLOAT,
        [f"Cast (cast): makes uint8 that Cast (back) reads; {BEFORE_LAST}"],
    ),
    ([helper.make_node("Add", ["x", "x"], ["a"], "sum"), cast("a", "y", UINT8)], UINT8, []),
]


@pytest.mark.parametrize(("nodes", "kind", "told"), INNER)
def test_uint8_inside_the_graph_is_found_where_tensorrt_refuses_it(nodes, kind, told):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [8, 8])],
        [helper.make_tensor_value_info("y", kind, [8, 8])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert lint(model) == told
    trt = pytest.importorskip("tensorrt_rtx")
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    network = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert trt.OnnxParser(network, logger).parse(model.SerializeToString()) == (told == [])


def test_a_uint8_output_may_be_read_by_a_cast():
    nodes = [cast("x", "y", UINT8), cast("y", "z", FLOAT, "back")]
    assert lint(model_of(nodes, [("x", FLOAT)], [("y", UINT8), ("z", FLOAT)])) == []


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
