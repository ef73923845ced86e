from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

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


@pytest.mark.parametrize(("opset", "domain"), [(18, ""), (1, "com.microsoft")])
def test_newer_opset_and_foreign_domain_are_found(opset, domain):
    found = lint(model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", FLOAT)], [("y", FLOAT)], opset, domain))
    assert len(found) == 1 and found[0].startswith(f"opset {opset} of {domain or 'ai.onnx'}")


def test_deployed_graph_is_clean(exported):
    assert lint(onnx.load(exported)) == []
