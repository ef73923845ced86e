"""What a TensorRT module can do, asked of the module itself: version strings promise too much."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.deploy.tensorrt import api


@dataclass(frozen=True)
class Features:
    """What differs between the versions that are supported.

    Attributes:
        strongly_typed: Networks may take their precision from the graph alone (10.0 on).
        explicit_batch: Networks must be told that their batch is explicit (removed in 11).
        weak_flags: Precision may be asked for by builder flags (removed in 11).
        layer_precision: A layer can be held at a precision (removed in 11).
        fast_fp16_known: The builder says whether the GPU is quicker in fp16 (removed in 11).
        targets: Engines can be built for GPUs that are not there (TensorRT-RTX).
    """

    strongly_typed: bool
    explicit_batch: bool
    weak_flags: bool
    layer_precision: bool
    fast_fp16_known: bool
    targets: bool

    @classmethod
    def of(cls, trt: api.Module) -> Features:
        """Asks a module."""
        return cls(
            strongly_typed=hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"),
            explicit_batch=hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"),
            weak_flags=hasattr(trt.BuilderFlag, "FP16") and hasattr(trt.BuilderFlag, "INT8"),
            layer_precision=hasattr(trt.ILayer, "precision"),
            fast_fp16_known=hasattr(trt.Builder, "platform_has_fast_fp16"),
            targets=hasattr(trt.IBuilderConfig, "num_compute_capabilities"),
        )
