"""int8 as explicit Q/DQ in the form that every TensorRT parses: symmetric, per-channel weights, no quantised bias.

Written here and not by onnxruntime's ``quantize_static``, since one measurement of the ranges has to serve
every trial of the search for sensitive layers, and since its form changed between releases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.precision.network import LOGITS, network_nodes
from edgeseg.errors import ModelError, require

_STEPS = 127
_DEAD = 1e-30
QUANTISED = {"Conv": 0, "ConvTranspose": 1}
"""Operator → axis of its weight along which the output channels lie."""


def layers(model: Any) -> list[str]:
    """Names of the layers that may be quantised, in order: the network's convolutions but for its head.

    The head is every convolution from which the logits are reached through no other one.

    Raises:
        ModelError: The graph's network cannot be told, or has no such layer.
    """
    weights = {weight.name for weight in model.graph.initializer}
    nodes = network_nodes(model)
    head = _head(nodes)
    found = [n.name for n in nodes if n.op_type in QUANTISED and n.input[1] in weights and n.name not in head]
    if not found:
        raise ModelError("the graph's network has no convolution beside its head that could be quantised")
    return found


def quantised_inputs(model: Any, names: Collection[str]) -> list[str]:
    """Tensors that the named layers are fed, each once, in order."""
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if node.name in names))


def to_int8(model: Any, names: Collection[str], ranges: Mapping[str, float]) -> Any:
    """A copy of a graph in which the named layers compute on int8.

    x is replaced by clip(round(x / s), -128, 127) · s, with s = range / 127 of an activation, and the largest
    weight of each output channel / 127.

    Args:
        model: An ``onnx.ModelProto`` in fp32.
        names: Some of ``layers(model)``.
        ranges: Largest |value| to represent, for each of ``quantised_inputs(model, names)``.
    """
    copy = require("onnx", "train").ModelProto()
    copy.CopyFrom(model)
    _Quantisation(copy, ranges).run(frozenset(names))
    return copy


class _Quantisation:
    """One rewriting of a graph."""

    def __init__(self, model: Any, ranges: Mapping[str, float]) -> None:
        self.onnx = require("onnx", "train")
        self.graph = model.graph
        self.ranges = ranges
        self.weights = {weight.name: weight for weight in self.graph.initializer}
        self.nodes: list[Any] = []
        self.fed: dict[str, str] = {}

    def run(self, names: frozenset[str]) -> None:
        for node in list(self.graph.node):
            if node.name in names:
                node.input[0] = self._activation(node.input[0])
                node.input[1] = self._weight(node.input[1], QUANTISED[node.op_type])
            self.nodes.append(node)
        used = {name for node in self.nodes for name in node.input}
        kept = [weight for weight in self.graph.initializer if weight.name in used]
        for field, content in ((self.graph.node, self.nodes), (self.graph.initializer, kept)):
            del field[:]
            field.extend(content)

    def _activation(self, name: str) -> str:
        if name not in self.fed:
            scale = np.asarray(self.ranges[name] / _STEPS, np.float32)
            parameters = self._constants(name, scale, np.zeros((), np.int8))
            self._add("QuantizeLinear", [name, *parameters], f"{name}_quantised")
            self._add("DequantizeLinear", [f"{name}_quantised", *parameters], f"{name}_dequantised")
            self.fed[name] = f"{name}_dequantised"
        return self.fed[name]

    def _weight(self, name: str, axis: int) -> str:
        if name not in self.fed:
            values = self.onnx.numpy_helper.to_array(self.weights[name])
            others = tuple(a for a in range(values.ndim) if a != axis)
            largest = np.abs(values).max(axis=others)
            # A channel of zeros may have any scale; weights that died in training are no exact zeros, and their
            # step must not underflow.
            scale = np.where(largest > _DEAD, largest, 1.0).astype(np.float32) / np.float32(_STEPS)
            shape = [-1 if a == axis else 1 for a in range(values.ndim)]
            steps = np.clip(np.rint(values / scale.reshape(shape)), -_STEPS, _STEPS).astype(np.int8)
            self.graph.initializer.append(self.onnx.numpy_helper.from_array(steps, f"{name}_int8"))
            parameters = self._constants(name, scale, np.zeros(scale.shape, np.int8))
            self._add("DequantizeLinear", [f"{name}_int8", *parameters], f"{name}_dequantised", axis=axis)
            self.fed[name] = f"{name}_dequantised"
        return self.fed[name]

    def _constants(self, name: str, scale: NDArray[np.float32], zero: NDArray[np.int8]) -> tuple[str, str]:
        names = f"{name}_scale", f"{name}_zero_point"
        for key, values in zip(names, (scale, zero), strict=True):
            self.graph.initializer.append(self.onnx.numpy_helper.from_array(values, key))
        return names

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: int) -> None:
        node = self.onnx.helper.make_node(operator, inputs, [output], name=f"/{operator}/{output}", **attributes)
        self.nodes.append(node)


def _head(nodes: list[Any]) -> set[str]:
    producers = {name: node for node in nodes for name in node.output}
    head: set[str] = set()
    waiting, seen = [LOGITS], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in producers:
            continue
        seen.add(name)
        if producers[name].op_type in QUANTISED:
            head.add(producers[name].name)
        else:
            waiting.extend(producers[name].input)
    return head
