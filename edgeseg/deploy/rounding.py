"""fp16 graphs as they are written: every half-precision tensor really rounded.

onnxruntime has few fp16 kernels for processors. It computes everything else in fp32 and drops the casts between
such operators, so that of an fp16 graph only the weights are rounded. What it then says about fp16 is too good.
"""

from __future__ import annotations

from typing import Any

from edgeseg.errors import require

EXACT = frozenset(
    (
        "Clip",
        "Concat",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Max",
        "MaxPool",
        "Min",
        "Neg",
        "Pad",
        "ReduceMax",
        "Relu",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)
"""Operators that move or choose values, whose results need no rounding where their inputs had it."""


def with_roundings(model: Any) -> Any:
    """A graph that computes in fp32 and rounds wherever an fp16 graph's tensors are rounded.

    Sums within an operator are fp32's, as on units that multiply halves and add floats. Every operator's
    result is rounded, also where a runtime would fuse two and round once.

    Args:
        model: An ``onnx.ModelProto``.

    Returns:
        The model itself where nothing in it is fp16, otherwise a copy with the same names.
    """
    kinds = require("onnx", "train").TensorProto
    if not any(weight.data_type == kinds.FLOAT16 for weight in model.graph.initializer):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    _Rounding(copy).run()
    return copy


class _Rounding:
    """One rewriting of a graph."""

    def __init__(self, model: Any) -> None:
        self.onnx = require("onnx", "train")
        self.kinds = self.onnx.TensorProto
        self.graph = model.graph
        inferred = self.onnx.shape_inference.infer_shapes(model).graph.value_info
        self.half = {value.name for value in inferred if value.type.tensor_type.elem_type == self.kinds.FLOAT16}
        self.half |= {w.name for w in self.graph.initializer if w.data_type == self.kinds.FLOAT16}

    def run(self) -> None:
        for weight in self.graph.initializer:
            if weight.data_type == self.kinds.FLOAT16:
                self._widen(weight, weight.name)
        nodes = [made for node in list(self.graph.node) for made in self._rewritten(node)]
        for field in (self.graph.node, self.graph.value_info):
            del field[:]
        self.graph.node.extend(nodes)

    def _rewritten(self, node: Any) -> list[Any]:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == self.kinds.FLOAT16:
                self._widen(attribute.t, attribute.t.name)
        produced = [name for name in node.output if name in self.half]
        if not produced or node.op_type in EXACT or node.op_type.startswith("Constant"):
            return [node]
        if node.op_type == "Cast":
            node.attribute[0].i = self.kinds.FLOAT
        return [node, *(made for name in produced for made in self._round(node, name))]

    def _round(self, node: Any, name: str) -> list[Any]:
        """Two casts, and the node's output under another name before them."""
        before, between = f"{name}_unrounded", f"{name}_half"
        node.output[list(node.output).index(name)] = before
        to = self.onnx.helper.make_node
        return [
            to("Cast", [before], [between], name=f"/round/{name}", to=self.kinds.FLOAT16),
            to("Cast", [between], [name], name=f"/widen/{name}", to=self.kinds.FLOAT),
        ]

    def _widen(self, tensor: Any, name: str) -> None:
        values = self.onnx.numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(self.onnx.numpy_helper.from_array(values, name))
