"""Looks inside exported graphs: any tensor as an output, and the tensors that two graphs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.rounding import with_roundings
from edgeseg.errors import ModelError, require
from edgeseg.modelinfo import ModelInfo

PREPROCESS_SCOPE = "/preprocess/"
"""Prefix of the names of the nodes that turn the frame into the network's input."""
NETWORK_SCOPE = "/net/"
"""The same of the network's."""
_PASSIVE = {
    "And",
    "ArgMax",  # of two values within rounding either is right
    "Constant",
    "ConstantOfShape",
    "DequantizeLinear",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Not",
    "Or",
    "QuantizeLinear",
    "Shape",
}
"""Operators whose outputs say nothing about a layer."""


class GraphProbe:
    """An exported graph whose inner tensors can be read, run as written: nothing fused, every rounding done.

    Args:
        model: An ``onnx.ModelProto``.
        info: What the model carries.
        outputs: ``graph`` for a deployed graph, ``logits`` for a plain network, which is fed preprocessed frames.
    """

    def __init__(self, model: Any, info: ModelInfo, outputs: str) -> None:
        self.model, self.info, self.outputs = with_roundings(model), info, outputs
        self.producers = {name: node for node in model.graph.node for name in node.output if name}
        self.tensors = [
            name for node in model.graph.node if node.op_type not in _PASSIVE for name in node.output if name
        ]

    def read(self, frame: NDArray[np.uint8], names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Values of inner tensors for one frame (H, W, 3) uint8 RGB.

        Raises:
            ModelError: onnxruntime cannot run the graph with them as outputs.
        """
        onnx, ort = require("onnx", "train"), require("onnxruntime", "cpu")
        tapped = onnx.ModelProto()
        tapped.CopyFrom(self.model)
        del tapped.graph.output[:]
        tapped.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            session = ort.InferenceSession(tapped.SerializeToString(), options, providers=["CPUExecutionProvider"])
            arrays = session.run(None, self._fed(frame))
        except Exception as error:  # onnxruntime's exceptions share no base but this one
            raise ModelError(f"onnxruntime cannot read {', '.join(names)}: {str(error).splitlines()[0]}") from None
        return dict(zip(names, arrays, strict=True))

    def _fed(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        source, *masks = self.model.graph.input
        fed = self.info.preprocess.apply(frame) if self.outputs == "logits" else frame
        kept = {each.name: np.ones((1, each.type.tensor_type.shape.dim[1].dim_value), np.float32) for each in masks}
        return {source.name: fed[None], **kept}

    def network_input(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """What the network gets (3, h, w) float32; None where the graph does not keep its preprocessing apart."""
        if self.outputs == "logits":
            return self.info.preprocess.apply(frame)
        name = self.input_tensor()
        return None if name is None else np.asarray(self.read(frame, [name])[name][0], np.float32)

    def input_tensor(self) -> str | None:
        """Name of the one tensor that leaves the preprocessing.

        Constants do not count: the exporter writes equal ones once, so that others read the preprocessing's.
        """
        made = {name: node for name, node in self.producers.items() if node.op_type != "Constant"}
        inside = {name for name, node in made.items() if node.name.startswith(PREPROCESS_SCOPE)}
        active = [node for node in self.model.graph.node if not node.name.startswith(PREPROCESS_SCOPE)]
        leaving = {name for node in active for name in node.input if name in inside}
        return leaving.pop() if len(leaving) == 1 else None

    def inner_tensors(self) -> list[str]:
        """Tensors from the network's input on to its logits or, without that name, to the last of its own, in order."""
        names = [name for name in self.tensors if not self.producers[name].name.startswith(PREPROCESS_SCOPE)]
        if "logits" in names:
            return names[: names.index("logits") + 1]
        inside = [place for place, name in enumerate(names) if self.producers[name].name.startswith(NETWORK_SCOPE)]
        return names[: inside[-1] + 1] if inside else names


def probe(content: bytes, info: ModelInfo, record: ExportRecord) -> GraphProbe:
    """A probe of an exported graph's file content."""
    return GraphProbe(require("onnx", "train").load_model_from_string(content), info, record.outputs)


def common_tensors(a: GraphProbe, b: GraphProbe) -> list[str]:
    """Inner tensors that both graphs compute, in the first one's order."""
    known = set(b.inner_tensors())
    return [name for name in a.inner_tensors() if name in known]


def relative_error(a: NDArray[Any], b: NDArray[Any]) -> float:
    """‖a − b‖ / ‖a‖; infinite where the shapes differ or a value is not a number."""
    if a.shape != b.shape:
        return float("inf")
    first, second = a.astype(np.float64), b.astype(np.float64)
    error = float(np.linalg.norm(first - second) / max(float(np.linalg.norm(first)), 1e-12))
    return error if np.isfinite(error) else float("inf")
