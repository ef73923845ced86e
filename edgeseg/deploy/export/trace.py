"""From torch modules to an ONNX model in memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import onnx
import torch
from torch import nn

from edgeseg.deploy.metadata import ExportRecord, Shape, Tensor, expected_inputs, expected_outputs
from edgeseg.errors import ModelError
from edgeseg.modelinfo import ModelInfo

FULL_OUTPUT = "logits"
"""Output that is traced even where it is not emitted, so that the comparison can see it."""


def trace(module: nn.Module, info: ModelInfo, record: ExportRecord) -> onnx.ModelProto:
    """Exports a module whose inputs and outputs are those of the record.

    Torch's older, tracing exporter is used on purpose: the newer one needs onnxscript and emits
    operator sets from 18 on.

    Raises:
        ModelError: Torch cannot export the module.
    """
    inputs, outputs = expected_inputs(info, record), expected_outputs(info, record)
    dynamic = {t.name: axes for t in (*inputs, *outputs) if (axes := _named_axes(t.shape))}
    examples = tuple(_example(t.shape, t.type, info.preprocess.size) for t in inputs)
    traced = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python number that it bakes in
        try:
            torch.onnx.export(
                module.eval(),
                examples,
                traced,  # type: ignore[arg-type]  # takes a buffer, though it is declared to take a path alone
                input_names=[t.name for t in inputs],
                output_names=[output.name for output in outputs],
                dynamic_axes=dynamic,
                opset_version=record.opset,
                dynamo=False,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"network {info.network!r} cannot be exported at opset {record.opset}: {reason}"
            ) from error
    return _with_shapes(_without_copies(onnx.load_model_from_string(traced.getvalue())), outputs)


def _without_copies(model: onnx.ModelProto) -> onnx.ModelProto:
    """Lets nodes read weights directly: the exporter names equal weights once and copies them by Identity nodes.

    Those are numbered, so that one name may stand for different weights in two graphs of a network.
    """
    weights = {weight.name for weight in model.graph.initializer}
    copies = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Identity" and n.input[0] in weights}
    kept = [node for node in model.graph.node if node.output[0] not in copies]
    for node in kept:
        for position, name in enumerate(node.input):
            node.input[position] = copies.get(name, name)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def _with_shapes(model: onnx.ModelProto, outputs: Sequence[Tensor]) -> onnx.ModelProto:
    """States the outputs' shapes, some of which the exporter leaves open behind a frame of any size."""
    for found, expected in zip(model.graph.output, outputs, strict=True):
        kind = found.type.tensor_type.elem_type
        found.CopyFrom(onnx.helper.make_tensor_value_info(found.name, kind, expected.shape))
    return model


def without_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A copy of the model that keeps the tensor ``name`` to itself."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept = [output for output in copy.graph.output if output.name != name]
    del copy.graph.output[:]
    copy.graph.output.extend(kept)
    return copy


def without_idle_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model without nodes that no output needs: onnxruntime runs them all the same."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    needed = {output.name for output in copy.graph.output}
    kept = []
    for node in reversed(copy.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(name for name in node.input if name)
    del copy.graph.node[:]
    copy.graph.node.extend(reversed(kept))
    return copy


def _named_axes(shape: Shape) -> dict[int, str]:
    return {axis: length for axis, length in enumerate(shape) if isinstance(length, str)}


def _example(shape: Shape, kind: str, size: tuple[int, int]) -> torch.Tensor:
    # Unlike the network's size, so that a size baked in by mistake shows.
    lengths: dict[Any, int] = {"batch": 2, "frame_height": size[0] + 3, "frame_width": size[1] + 5}
    real = [length if isinstance(length, int) else lengths[length] for length in shape]
    if kind == "tensor(uint8)":
        return torch.zeros(real, dtype=torch.uint8)
    return torch.zeros(real)
