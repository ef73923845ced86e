"""Makes a lower precision of an fp32 graph and measures what it costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from edgeseg.deploy.lint import lint
from edgeseg.deploy.metadata import ExportRecord
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision.fp16 import halved, to_fp16
from edgeseg.deploy.precision.int8 import layers, quantised_inputs, to_int8
from edgeseg.deploy.precision.measure import CostMeter, Frames, calibration_frames
from edgeseg.deploy.precision.ranges import activation_ranges
from edgeseg.deploy.precision.search import Choice, Loss, choose_layers
from edgeseg.deploy.precision.settings import PrecisionSettings
from edgeseg.errors import ModelError
from edgeseg.modelinfo import ModelInfo
from edgeseg.progress import say

GLANCED_AT = 2
"""Frames on which one block's harm is looked at."""
Make = Callable[[Collection[str]], Any]
"""Makes the graph in which these layers are in the lower precision."""


@dataclass(frozen=True)
class Lowered:
    """A graph in a lower precision, its metadata not yet set.

    Attributes:
        model: The ``onnx.ModelProto``.
        figures: What was done and what it costs against fp32, plain data.
    """

    model: Any
    figures: dict[str, Any] = field(default_factory=dict)


def lower(model: Any, info: ModelInfo, record: ExportRecord, settings: PrecisionSettings, frames: Frames) -> Lowered:
    """Makes the graph of ``settings.precision`` out of an fp32 one.

    Args:
        model: The fp32 ``onnx.ModelProto``.
        info: What the model carries.
        record: How it was exported.
        settings: Precision and bounds.
        frames: On which fp16 is measured where ``settings`` names no dataset.

    Raises:
        ConfigError: The dataset is unknown.
        DataError: The dataset holds no frames, or they tell nothing about the ranges.
        ModelError: The bounds cannot be held, or a weight is beyond fp16's range.
    """
    if settings.calibrate is not None:
        frames = calibration_frames(settings.calibrate, settings.frames, info, record.frame)
    meter = CostMeter(model, info, record, frames)
    lowered = _fp16(model, meter, settings) if settings.precision == "fp16" else _int8(model, meter, settings, frames)
    found = lint(lowered.model)
    if found:
        raise ModelError(f"TensorRT would refuse the graph in its lower precision: {'; '.join(found)}")
    measured = {"measured_on": frames.source, "measured_frames": len(frames.images), "cost_against": frames.against}
    return Lowered(lowered.model, {**lowered.figures, **measured})


def _fp16(model: Any, meter: CostMeter, settings: PrecisionSettings) -> Lowered:
    names = halved(model)
    if settings.calibrate is None:
        half = to_fp16(model)
        loss = meter.loss(half, "fp16")
        if not settings.bounds.held_by(loss):
            say(f"fp16 does not hold {settings.bounds}: {loss}; --calibrate D finds the layers that should stay fp32")
        return Lowered(half, {"precision_cost": asdict(loss), "kept_fp32": {}})
    choice = _chosen(names, lambda some: to_fp16(model, some), meter, settings)
    return Lowered(to_fp16(model, choice.layers), {**_figures(choice, names), "kept_fp32": choice.kept})


def _int8(model: Any, meter: CostMeter, settings: PrecisionSettings, frames: Frames) -> Lowered:
    names = layers(model)
    probe = GraphProbe(model, meter.info, meter.record.outputs)
    found = activation_ranges(probe, frames.images, quantised_inputs(model, names), settings.method)
    mixed = settings.precision == "int8-fp16"

    def make(ranges: Mapping[str, float]) -> Make:
        if mixed:
            return lambda some: to_fp16(to_int8(model, some, ranges))
        return lambda some: to_int8(model, some, ranges)

    method, tried = _best_method({name: make(ranges) for name, ranges in found.items()}, names, meter, settings)
    choice = _chosen(names, make(found[method]), meter, settings)
    figures = {
        **_figures(choice, names),
        "calibration_method": method,
        "calibration_methods": tried,
        "kept_fp16" if mixed else "kept_fp32": choice.kept,
    }
    return Lowered(make(found[method])(choice.layers), figures)


def _best_method(
    makers: Mapping[str, Make], names: Sequence[str], meter: CostMeter, settings: PrecisionSettings
) -> tuple[str, dict[str, dict[str, float]]]:
    """The method whose graph changes the fewest pixels, and what each costs; nothing is measured of a single one."""
    if len(makers) == 1:
        return next(iter(makers)), {}
    losses = {name: meter.loss(make(names), settings.precision) for name, make in makers.items()}
    best = min(losses, key=lambda name: losses[name].disagreement)
    say(f"ranges by {best}: int8 everywhere changes {losses[best].disagreement:.2%} of the pixels")
    return best, {name: asdict(loss) for name, loss in losses.items()}


def _chosen(names: Sequence[str], make: Make, meter: CostMeter, settings: PrecisionSettings) -> Choice:
    def measured(count: int | None) -> Callable[[Sequence[str]], Loss]:
        return lambda some: meter.loss(make(some), settings.precision, count)

    return choose_layers(names, measured(None), measured(GLANCED_AT), settings.bounds, settings.precision)


def _figures(choice: Choice, names: Sequence[str]) -> dict[str, Any]:
    return {"precision_cost": asdict(choice.loss), "lowered_layers": len(choice.layers), "layers": len(names)}
