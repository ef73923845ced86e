"""Operators that some supported TensorRT does not parse, found in an ONNX graph and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeseg.errors import require

MAX_OPSET = 17
"""Newest operator set that TensorRT 8.6 reads."""

_FORBIDDEN = ("MaxUnpool", "NonZero", "Unique", "If", "Loop", "Scan")


def lint(model: Any) -> list[str]:
    """Lists what some supported TensorRT would refuse.

    Args:
        model: An ``onnx.ModelProto``.

    Returns:
        One line per finding, naming node and operator; empty where there is none.
    """
    onnx = require("onnx", "train")
    helper = onnx.helper
    found = [
        f"opset {entry.version} of {entry.domain or 'ai.onnx'}: at most {MAX_OPSET} of ai.onnx is read everywhere"
        for entry in model.opset_import
        if entry.domain not in ("", "ai.onnx") or entry.version > MAX_OPSET
    ]
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        found += [f"{node.op_type} ({node.name}): {why}" for why in _reasons(node, attributes)]
    return found + _quantisation(model, onnx) + _bindings(model, onnx) + _inner_uint8(model, onnx)


def _reasons(node: Any, attributes: dict[str, Any]) -> list[str]:
    rules: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: node.op_type in _FORBIDDEN, "is not parsed"),
        (lambda: node.op_type == "MaxPool" and len(node.output) > 1, "is not parsed with its output of indices"),
        (lambda: node.op_type == "Resize" and attributes.get("antialias", 0) == 1, "is not parsed with antialias"),
        (lambda: node.op_type == "Resize" and attributes.get("mode") == b"cubic", "is undocumented in cubic mode"),
        (
            lambda: node.op_type == "ScatterND" and attributes.get("reduction", b"none") != b"none",
            "is not parsed with a reduction",
        ),
    )
    return [why for broken, why in rules if broken()]


def _quantisation(model: Any, onnx: Any) -> list[str]:
    """Q/DQ in a form that TensorRT refuses: a zero point that is not 0, a bias in int32."""
    stored = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = node.attribute[0].t
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    shifted = [
        f"{node.op_type} ({node.name}): has a zero point that is not 0; quantise symmetrically"
        for node in pairs
        if len(node.input) > 2 and node.input[2] in stored and onnx.numpy_helper.to_array(stored[node.input[2]]).any()
    ]
    return shifted + [
        f"{node.op_type} ({node.name}): dequantises int32, as of a bias; leave biases unquantised"
        for node in pairs
        if node.input[0] in stored and stored[node.input[0]].data_type == onnx.TensorProto.INT32
    ]


def _bindings(model: Any, onnx: Any) -> list[str]:
    kinds = onnx.TensorProto
    found = [
        f"output {output.name}: int64 changes its type between versions; cast it to int32 or uint8"
        for output in model.graph.output
        if output.type.tensor_type.elem_type == kinds.INT64
    ]
    uint8 = {i.name for i in model.graph.input if i.type.tensor_type.elem_type == kinds.UINT8}
    return found + [
        f"{node.op_type} ({node.name}): computes on the uint8 input; cast it first"
        for node in model.graph.node
        if node.op_type != "Cast" and uint8 & set(node.input)
    ]


def _inner_uint8(model: Any, onnx: Any) -> list[str]:
    """uint8 inside the graph, which TensorRT has for inputs and outputs alone, and for int8's own pairs.

    An output may be read by a Cast, too. Constants are computed beforehand.
    """
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError:
        return []  # such as an operator of a foreign domain, which is found already
    kind = onnx.TensorProto.UINT8
    leaving = {output.name for output in graph.output}
    uint8 = {v.name for v in (*graph.value_info, *graph.output) if v.type.tensor_type.elem_type == kind}
    makers = [node for node in graph.node if node.op_type not in ("Constant", "QuantizeLinear")]
    return [
        f"{node.op_type} ({node.name}): makes uint8 that {reader.op_type} ({reader.name}) reads; "
        "uint8 is for inputs and outputs alone, so cast to it last"
        for node in makers
        for name in uint8.intersection(node.output)
        for reader in graph.node
        if name in reader.input and not (reader.op_type == "Cast" and name in leaving)
    ]
