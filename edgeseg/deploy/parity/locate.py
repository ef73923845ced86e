"""Where two models part: settings, preprocessing, resize, a layer, or precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.parity.bisect import first_parting
from edgeseg.deploy.parity.graphs import GraphProbe, probe
from edgeseg.deploy.parity.inputs import compare_inputs
from edgeseg.deploy.runners.base import Runner

_LIMITS = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 0.1, "int8-fp16": 0.3, "int8": 0.3}
"""Error of a tensor, ‖Δ‖ / ‖value‖, from which two graphs have parted, by the less precise one's precision."""
_CHOOSING = ("Cast",)
"""What a comparison is turned into numbers by; a rounding may turn it, and an error leaps though no layer is wrong."""
_OPEN = (".onnx", ".edgeseg")
_LEAP = 10.0
"""How often a layer multiplies the error of what it is fed before it is called wrong and not merely imprecise."""


@dataclass(frozen=True)
class Parting:
    """Where two models part.

    Attributes:
        stage: ``preprocessing``, ``resize``, ``layer``, ``precision``, ``temperature`` or ``runtime``.
        what: The setting or the layer, such as ``mean`` or a node's name.
        detail: Both sides' values, or how far the layer's output is off.
    """

    stage: str
    what: str
    detail: str


def locate(first: Runner, second: Runner, a: Path, b: Path, frame: NDArray[np.uint8]) -> Parting:
    """Finds where two models part on a frame (H, W, 3) uint8 RGB, first causes first.

    A checkpoint is traced anew to look inside it, which needs torch; another runtime's own form is closed.

    Raises:
        ModelError: A graph cannot be run with its inner tensors as outputs.
    """
    closed = [path for path in (a, b) if path.suffix not in _OPEN]
    if closed:
        detail = f"{closed[0].name} cannot be looked into: hold the .onnx that it was made of against the other"
        return replace(_outside(first, second), detail=detail)
    graphs = _probe(first, a, second, frame), _probe(second, b, first, frame)
    inputs = [graph.network_input(frame) for graph in graphs]
    if inputs[0] is not None and inputs[1] is not None:
        difference = compare_inputs(inputs[0], inputs[1], first.info.preprocess, (frame.shape[0], frame.shape[1]))
        if difference is not None:
            return Parting(difference.stage, difference.what, difference.detail)
    return _within(graphs[0], graphs[1], frame, _precisions(first, second)) or _outside(first, second)


def _within(a: GraphProbe, b: GraphProbe, frame: NDArray[np.uint8], precisions: tuple[str, str]) -> Parting | None:
    coarser = max(precisions, key=list(_LIMITS).index)
    found = first_parting(a, b, frame, _LIMITS[coarser])
    if found is None:
        return None
    detail = f"{found.operator}: its output is off by {found.error:.2%}, what it is fed by {found.error_before:.2%}"
    leaps = found.error > _LEAP * max(found.error_before, _LIMITS[coarser] / _LEAP)
    if precisions[0] == precisions[1] or (leaps and found.operator not in _CHOOSING):
        return Parting("layer", found.layer, detail)
    return Parting("precision", coarser, f"the error passes {_LIMITS[coarser]:.1%} at {found.layer} ({detail})")


def _outside(first: Runner, second: Runner) -> Parting:
    """The graphs agree inside: what is left is the temperature, the precision as a whole, or the runtime."""
    if first.info.temperature != second.info.temperature:
        values = f"{first.info.temperature:.4g} and {second.info.temperature:.4g}"
        return Parting("temperature", "temperature", values)
    precisions = _precisions(first, second)
    if precisions[0] != precisions[1]:
        return Parting("precision", " and ".join(precisions), "no layer stands out: the error grows all along")
    return Parting("runtime", f"{first.backend} and {second.backend}", "the graphs agree at every layer")


def _precisions(first: Runner, second: Runner) -> tuple[str, str]:
    a, b = (str(runner.info.extra.get(EXPORT_KEY, {}).get("precision", "fp32")) for runner in (first, second))
    return a, b


def _probe(runner: Runner, path: Path, other: Runner, frame: NDArray[np.uint8]) -> GraphProbe:
    if path.suffix == ".onnx":
        record = ExportRecord.from_dict(runner.info.extra[EXPORT_KEY], str(path))
        return probe(path.read_bytes(), runner.info, record)
    # By name, so that two exported graphs are compared without torch.
    traced = import_module("edgeseg.deploy.export").traced_graph(path, runner.size, (frame.shape[0], frame.shape[1]))
    return GraphProbe(traced, runner.info, "graph")
