"""From an ONNX file to a serialized engine, by whatever TensorRT module is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeseg.deploy.metadata import ExportRecord, read_metadata
from edgeseg.deploy.seal import sealed_metadata
from edgeseg.deploy.tensorrt import api, configure
from edgeseg.deploy.tensorrt.features import Features
from edgeseg.deploy.tensorrt.network import create_network, network_tensors, parse
from edgeseg.deploy.tensorrt.settings import BuildSettings
from edgeseg.errors import ModelError
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo


@dataclass(frozen=True)
class Plan:
    """A built engine.

    Attributes:
        content: What TensorRT's runtime deserializes.
        info: What the model carries.
        export: How its graph was exported.
        typing: How its precision was told.
        layers: Layer names by device; the builder's plan for an accelerator, everything on ``gpu`` otherwise.
    """

    content: bytes
    info: ModelInfo
    export: ExportRecord
    typing: Literal["strong", "weak"]
    layers: dict[str, list[str]]


def build_plan(trt: api.Module, onnx_path: Path, settings: BuildSettings) -> Plan:
    """Builds an engine for the GPU of this machine, or for ``settings.targets``.

    Nothing here asks for a version: ``Features`` says what the module can do.

    Args:
        trt: The module ``tensorrt``, or one with the same builder.
        onnx_path: An exported graph.
        settings: How.

    Raises:
        ModelError: The graph was altered or is not of this package, TensorRT refuses it, or the build fails.
        ConfigError: A setting that this version or this graph does not allow.
        OutputError: The timing cache cannot be written.
    """
    carried = sealed_metadata(onnx_path.read_bytes(), str(onnx_path))
    features = Features.of(trt)
    strong = configure.is_strong(features, settings)
    logger = trt.Logger(trt.Logger.WARNING)
    builder: api.Builder = trt.Builder(logger)
    network: api.INetworkDefinition = create_network(trt, builder, features, strong)
    parse(trt, network, logger, onnx_path)
    inputs, outputs = network_tensors(network)
    info, record = read_metadata(carried, inputs, outputs, str(onnx_path))
    config: api.IBuilderConfig = builder.create_builder_config()
    if not strong:
        configure.set_precision(trt, builder, network, config, features, record.precision)
    configure.set_memory(trt, config, settings)
    configure.set_shapes(builder, config, inputs[0], settings.shapes)
    configure.set_targets(trt, config, features, settings.targets)
    layers = _place(trt, builder, network, config, settings, record.precision)
    configure.load_timing_cache(config, settings)
    content = builder.build_serialized_network(network, config)
    if content is None:
        raise ModelError(_failed(trt, onnx_path, features, strong))
    if settings.timing_cache is not None:
        write_atomic(settings.timing_cache, configure.timing_cache_bytes(config))
    return Plan(bytes(content), info, record, "strong" if strong else "weak", layers)


def _place(
    trt: api.Module,
    builder: api.Builder,
    network: api.INetworkDefinition,
    config: api.IBuilderConfig,
    settings: BuildSettings,
    precision: str,
) -> dict[str, list[str]]:
    if settings.dla_core is not None:
        return configure.set_dla(trt, builder, network, config, settings.dla_core, precision)
    return {"dla": [], "gpu": [configure.layer_name(network.get_layer(k)) for k in range(network.num_layers)]}


def _failed(trt: api.Module, onnx_path: Path, features: Features, strong: bool) -> str:
    cure = "free memory on the GPU, or give less --workspace"
    if strong and features.weak_flags:
        cure += ", or try --typing weak"
    return f"{onnx_path}: TensorRT {trt.__version__} could not build an engine (its log above says why); {cure}"
