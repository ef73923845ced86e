"""fp16 typed in the graph: the network computes in half precision, everything around it stays fp32."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.precision.network import LOGITS, network_nodes
from edgeseg.errors import ModelError, require

SENSITIVE = frozenset(
    (
        "AveragePool",
        "BatchNormalization",
        "Exp",
        "GlobalAveragePool",
        "LogSoftmax",
        "ReduceMean",
        "ReduceSum",
        "Resize",
        "Softmax",
    )
)
"""Operators that stay fp32 inside the network: sums over many values, exponentials, positions."""
_QUANTISERS = frozenset(("QuantizeLinear", "DequantizeLinear"))
_HALF_MAX = 65504.0


def halved(model: Any) -> list[str]:
    """Names of the nodes that fp16 may compute, in order: the network's, but for sensitive and quantised ones.

    A quantised layer stays as it is: its sums come out of int8 as fp32, and QuantizeLinear reads no fp16
    in the operator sets that every TensorRT parses.

    Raises:
        ModelError: The graph's network cannot be told.
    """
    quantised = {name for node in model.graph.node if node.op_type in _QUANTISERS for name in node.output}
    return [
        node.name
        for node in network_nodes(model)
        if node.op_type not in SENSITIVE | _QUANTISERS | {"Constant"} and not quantised.intersection(node.input)
    ]


def to_fp16(model: Any, names: Collection[str] | None = None) -> Any:
    """A copy of a deployed graph whose network computes in fp16; inputs and outputs stay as they are.

    Casts stand where a tensor crosses between the types, one for each tensor and direction.

    Args:
        model: An ``onnx.ModelProto``, fp32 but for layers on int8.
        names: Some of ``halved(model)``, None for all.

    Raises:
        ModelError: The graph's network cannot be told, or a weight is beyond fp16's range.
    """
    copy = require("onnx", "train").ModelProto()
    copy.CopyFrom(model)
    return _Conversion(copy, frozenset(halved(model) if names is None else names)).run()


class _Conversion:
    """One conversion; ``half`` holds the tensors that are fp16 by now."""

    def __init__(self, model: Any, names: frozenset[str]) -> None:
        self.onnx = require("onnx", "train")
        self.model = model
        self.graph = model.graph
        self.floats = self._float_tensors()
        self.constants = self._constants()
        self.half: set[str] = set()
        self.casts: dict[tuple[str, int], str] = {}
        self.nodes: list[Any] = []
        self.inside = {node.output[0] for node in self.graph.node if node.name in names}

    def run(self) -> Any:
        kinds = self.onnx.TensorProto
        for node in list(self.graph.node):
            if node.output[0] in self.inside:
                self._halve(node)
            else:
                self._feed(node, kinds.FLOAT)
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]
        self._drop_unused()
        return self.model

    def _halve(self, node: Any) -> None:
        kinds = self.onnx.TensorProto
        self._feed(node, kinds.FLOAT16)
        self._retype(node)
        produced = [name for name in node.output if name in self.floats]
        self.nodes.append(node)
        self.half.update(produced)
        if LOGITS in produced:
            # The name is an output's, whose type must not change.
            inner = f"{LOGITS}_fp16"
            node.output[list(node.output).index(LOGITS)] = inner
            self.half.discard(LOGITS)
            self.nodes.append(
                self.onnx.helper.make_node("Cast", [inner], [LOGITS], name=f"/{LOGITS}/Cast_fp32", to=kinds.FLOAT)
            )

    def _feed(self, node: Any, kind: int) -> None:
        """Makes every float input of the node of this type."""
        half = kind == self.onnx.TensorProto.FLOAT16
        for position, name in enumerate(node.input):
            if name not in self.floats or (name in self.half) == half:
                continue
            node.input[position] = self._constant(name) if half and name in self.constants else self._cast(name, kind)

    def _constant(self, name: str) -> str:
        found = f"{name}_fp16"
        if (name, -1) not in self.casts:
            values = self.constants[name]
            if np.abs(values).max(initial=0.0) > _HALF_MAX:
                raise ModelError(
                    f"weight {name}: {np.abs(values).max():.3g} is beyond fp16's {_HALF_MAX:g}; export it in fp32"
                )
            self.graph.initializer.append(self.onnx.numpy_helper.from_array(values.astype(np.float16), found))
            self.casts[name, -1] = found
        return found

    def _cast(self, name: str, kind: int) -> str:
        suffix = "fp16" if kind == self.onnx.TensorProto.FLOAT16 else "fp32"
        if (name, kind) not in self.casts:
            found = f"{name}_to_{suffix}"
            self.nodes.append(self.onnx.helper.make_node("Cast", [name], [found], name=f"/to_{suffix}/{name}", to=kind))
            self.casts[name, kind] = found
        return self.casts[name, kind]

    def _retype(self, node: Any) -> None:
        """Attributes that name a type: of a cast, and of a filled tensor."""
        kinds = self.onnx.TensorProto
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == kinds.FLOAT:
                attribute.i = kinds.FLOAT16
            if node.op_type == "ConstantOfShape" and attribute.t.data_type == kinds.FLOAT:
                values = self.onnx.numpy_helper.to_array(attribute.t).astype(np.float16)
                attribute.t.CopyFrom(self.onnx.numpy_helper.from_array(values))
        if node.op_type == "ConstantOfShape" and not node.attribute:
            zero = self.onnx.numpy_helper.from_array(np.zeros(1, np.float16))
            node.attribute.append(self.onnx.helper.make_attribute("value", zero))

    def _float_tensors(self) -> set[str]:
        kind = self.onnx.TensorProto.FLOAT
        inferred = self.onnx.shape_inference.infer_shapes(self.model).graph
        known = [*inferred.value_info, *inferred.input, *inferred.output]
        found = {value.name for value in known if value.type.tensor_type.elem_type == kind}
        return found | {weight.name for weight in self.graph.initializer if weight.data_type == kind}

    def _constants(self) -> dict[str, NDArray[Any]]:
        values = {weight.name: self.onnx.numpy_helper.to_array(weight) for weight in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                values[node.output[0]] = self.onnx.numpy_helper.to_array(node.attribute[0].t)
        return values

    def _drop_unused(self) -> None:
        """Leaves out weights and constants that only their fp16 copies stand for now."""
        used = {name for node in self.graph.node for name in node.input} | {out.name for out in self.graph.output}
        weights = [weight for weight in self.graph.initializer if weight.name in used]
        nodes = [node for node in self.graph.node if node.op_type != "Constant" or node.output[0] in used]
        for field, kept in ((self.graph.initializer, weights), (self.graph.node, nodes)):
            del field[:]
            field.extend(kept)
