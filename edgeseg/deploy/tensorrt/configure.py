"""What the builder is told: precision, memory, accelerator, shapes, timing cache."""

from __future__ import annotations

from edgeseg.deploy.metadata import Tensor
from edgeseg.deploy.tensorrt import api
from edgeseg.deploy.tensorrt.features import Features
from edgeseg.deploy.tensorrt.settings import BuildSettings, ShapeRange
from edgeseg.errors import ConfigError, ModelError
from edgeseg.progress import warn

MIB = 1 << 20


def is_strong(features: Features, settings: BuildSettings) -> bool:
    """Whether the graph alone says each tensor's type.

    Raises:
        ConfigError: This version does not have the typing asked for.
    """
    if settings.typing == "strong" and not features.strongly_typed:
        raise ConfigError("--typing strong: this TensorRT has no strongly typed networks; leave the option out")
    if settings.typing == "weak" and not features.weak_flags:
        raise ConfigError("--typing weak: this TensorRT has strongly typed networks alone; leave the option out")
    return features.strongly_typed and settings.typing != "weak"


def set_precision(
    trt: api.Module,
    builder: api.Builder,
    network: api.INetworkDefinition,
    config: api.IBuilderConfig,
    features: Features,
    precision: str,
) -> None:
    """Weak typing: allows what the graph was made for, and holds at fp32 what the graph holds there."""
    if features.weak_flags:
        allowed = precision.split("-")
        if "fp16" in allowed:
            if features.fast_fp16_known and not builder.platform_has_fast_fp16:
                warn("this GPU is not quicker in fp16 than in fp32; export --precision fp32 or int8 for it")
            config.set_flag(trt.BuilderFlag.FP16)
        if "int8" in allowed:
            # A graph with Q/DQ nodes is refused without this flag, though it needs no calibration.
            config.set_flag(trt.BuilderFlag.INT8)
        # Not where int8 is allowed too: a quantised layer's result is fp32 in the graph, its arithmetic is not.
        if precision == "fp16" and features.layer_precision:
            config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
            for index in range(network.num_layers):
                _hold_fp32(trt, network.get_layer(index))


def _hold_fp32(trt: api.Module, layer: api.ILayer) -> None:
    """Keeps a layer whose result is fp32 in the graph from being computed in fp16."""
    if layer.type in (trt.LayerType.CONSTANT, trt.LayerType.SHAPE) or layer.num_outputs == 0:
        return
    output: api.ITensor = layer.get_output(0)
    if output.dtype == trt.DataType.FLOAT and not output.is_shape_tensor:
        layer.precision = trt.DataType.FLOAT


def set_memory(trt: api.Module, config: api.IBuilderConfig, settings: BuildSettings) -> None:
    """Bounds the workspace; takes TF32 away where fp32 shall mean fp32."""
    if settings.workspace_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mb * MIB)
    if not settings.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)


def set_dla(
    trt: api.Module,
    builder: api.Builder,
    network: api.INetworkDefinition,
    config: api.IBuilderConfig,
    core: int,
    precision: str,
) -> dict[str, list[str]]:
    """Builds for an accelerator, with the GPU for what it cannot run.

    Returns:
        Layer names by device (``dla``, ``gpu``), as the builder says it can place them.

    Raises:
        ConfigError: The accelerator cannot run fp32, or any of open shapes.
        ModelError: The machine has no such core.
    """
    if precision == "fp32":
        raise ConfigError("--dla runs fp16 and int8 alone; export with --precision fp16 or int8")
    if any(_is_open(network.get_input(index)) for index in range(network.num_inputs)):
        raise ConfigError("--dla takes fixed shapes alone; export with --frame HxW and a number as --batch")
    if core >= builder.num_DLA_cores:
        raise ModelError(
            f"--dla {core}: this machine has {builder.num_DLA_cores} DLA cores that TensorRT {trt.__version__} can "
            "use; leave the option out to build for the GPU"
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    placed: dict[str, list[str]] = {"dla": [], "gpu": []}
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        placed["dla" if config.can_run_on_DLA(layer) else "gpu"].append(layer_name(layer))
    return placed


def _is_open(tensor: api.ITensor) -> bool:
    return any(length < 0 for length in tensor.shape)


def layer_name(layer: api.ILayer) -> str:
    """What the graph's node was called."""
    return str(layer.name)


def set_shapes(builder: api.Builder, config: api.IBuilderConfig, source: Tensor, shapes: ShapeRange) -> None:
    """Adds the optimization profile of a graph that leaves lengths of its input open.

    Args:
        builder: Makes the profile.
        config: Gets it.
        source: The graph's one input: frames (N, H, W, 3), or a plain network's (N, 3, h, w).
        shapes: What the open lengths may be.

    Raises:
        ConfigError: A length is open and nothing says what it may be.
    """
    if all(isinstance(length, int) for length in source.shape):
        return
    ranges = (shapes.batch, shapes.height, shapes.width)
    bounds = [
        (length,) * 3 if isinstance(length, int) else ranges[axis] if axis < len(ranges) else None
        for axis, length in enumerate(source.shape)
    ]
    open_axes = [bound for bound in bounds if bound is None]
    if open_axes:
        raise ConfigError("TensorRT wants to know the camera's size: export with --frame HxW")
    profile: api.IOptimizationProfile = builder.create_optimization_profile()
    profile.set_shape(source.name, *(tuple(b[k] for b in bounds if b is not None) for k in range(3)))
    config.add_optimization_profile(profile)


def load_timing_cache(config: api.IBuilderConfig, settings: BuildSettings) -> None:
    """Hands over what earlier builds timed; a file of another version or GPU is started anew."""
    path = settings.timing_cache
    if path is None:
        return
    content = path.read_bytes() if path.exists() else b""
    cache = config.create_timing_cache(content)
    if content and (cache is None or not config.set_timing_cache(cache, ignore_mismatch=False)):
        warn(f"{path}: is of another TensorRT or GPU; timing starts anew")
        cache, content = config.create_timing_cache(b""), b""
    if not content:
        config.set_timing_cache(cache, ignore_mismatch=False)


def timing_cache_bytes(config: api.IBuilderConfig) -> bytes:
    """What was timed, to be kept."""
    cache: api.ITimingCache = config.get_timing_cache()
    return bytes(cache.serialize())


def set_targets(trt: api.Module, config: api.IBuilderConfig, features: Features, targets: tuple[str, ...]) -> None:
    """Builds for GPUs that need not be there.

    Raises:
        ConfigError: This TensorRT builds for the machine's own GPU alone, or does not know a target.
    """
    if not targets:
        return
    if not features.targets:
        raise ConfigError("targets: this TensorRT builds for the GPU of its own machine alone; build there")
    if features.targets:
        known = trt.ComputeCapability
        config.num_compute_capabilities = len(targets)
        for position, name in enumerate(targets):
            if not hasattr(known, name):
                raise ConfigError(f"targets: {name} is not known to TensorRT-RTX {trt.__version__}")
            config.set_compute_capability(getattr(known, name), position)
