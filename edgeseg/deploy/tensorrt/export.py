"""An engine file from an exported graph, on the machine that will run it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.runners.base import missing_model
from edgeseg.deploy.seal import sealed_metadata
from edgeseg.deploy.tensorrt import api
from edgeseg.deploy.tensorrt.build import Plan, build_plan
from edgeseg.deploy.tensorrt.driver import Gpu, probe_driver, require_gpu
from edgeseg.deploy.tensorrt.engine_file import EngineFile, EngineRecord
from edgeseg.deploy.tensorrt.settings import BuildSettings
from edgeseg.errors import UsageError, require
from edgeseg.files import digest_file, write_atomic
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

TIMING_CACHE = "tensorrt.timing"
"""File in the engine's folder that keeps kernel timings unless another is named."""


@dataclass(frozen=True)
class EngineReport:
    """What was built.

    Attributes:
        path: The engine file.
        report: JSON file of this report, beside it.
        digest: SHA-256 of the engine file.
        bytes: Its size.
        plan_bytes: Size of TensorRT's plan at its beginning.
        record: How it was built. Nothing is measured by building: latency and parity are ``not measured``
            until ``edgeseg bench`` and ``edgeseg eval`` were run on the file.
    """

    path: Path
    report: Path
    digest: str
    bytes: int
    plan_bytes: int
    record: EngineRecord

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        own = {**asdict(self), "path": str(self.path), "report": str(self.report)}
        del own["record"]
        return {**own, **self.record.to_dict(), "latency": "not measured", "miou": "not measured"}


def require_target() -> tuple[api.Module, Gpu]:
    """TensorRT and the GPU that an engine would be built for; asks the driver first.

    Raises:
        MissingDependencyError: There is no GPU with a driver, or TensorRT is not installed.
    """
    gpu = require_gpu("building an engine", probe_driver())
    return require("tensorrt", "tensorrt"), gpu


def export_engine(
    onnx_path: Path,
    out_dir: Path,
    settings: BuildSettings | None = None,
    target: tuple[api.Module, Gpu] | None = None,
) -> EngineReport:
    """Builds ``out_dir/NAME.engine`` with its report ``NAME.engine.json`` from an exported ``NAME.onnx``.

    Args:
        onnx_path: The graph; nothing but TensorRT is needed to read it.
        out_dir: Gets the files, and the timing cache unless the settings name one.
        settings: How the engine is built.
        target: What ``require_target`` gives, None to ask it.

    Raises:
        MissingDependencyError: There is no GPU with a driver, or TensorRT is not installed.
        UsageError: The graph has channel masks as an input.
        ModelError: The graph is not one of this package's, or TensorRT refuses it. Nothing is written.
        ConfigError: A setting that this TensorRT or this graph does not allow.
        OutputError: ``out_dir`` cannot be written.
    """
    if not onnx_path.is_file():
        raise missing_model(onnx_path)
    trt, gpu = target or require_target()
    _require_frame_alone(onnx_path)
    settings = settings or BuildSettings()
    if settings.timing_cache is None:
        settings = replace(settings, timing_cache=out_dir / TIMING_CACHE)
    started = time.perf_counter()
    plan = build_plan(trt, onnx_path, settings)
    record = _record(plan, settings, onnx_path, str(trt.__version__), gpu, time.perf_counter() - started)
    return _write(plan, record, out_dir / f"{onnx_path.stem}.engine")


def _require_frame_alone(onnx_path: Path) -> None:
    where = str(onnx_path)
    info = ModelInfo.from_json(sealed_metadata(onnx_path.read_bytes(), where).get(METADATA_KEY), where)
    if ExportRecord.from_dict(info.extra.get(EXPORT_KEY), where).mask_layers:
        raise UsageError(
            f"{where}: has dropout_masks as an input, and an engine takes frames alone; export it without --emit "
            "dropout-masks, or run it by onnxruntime or OpenVINO"
        )


def _record(
    plan: Plan, settings: BuildSettings, onnx_path: Path, version: str, gpu: Gpu, build_s: float
) -> EngineRecord:
    return EngineRecord(
        onnx_digest=digest_file(onnx_path),
        tensorrt=version,
        gpu=gpu,
        precision=plan.export.precision,
        typing=plan.typing,
        tf32=settings.tf32,
        dla_core=settings.dla_core,
        layers={device: len(names) for device, names in plan.layers.items()},
        on_gpu=tuple(plan.layers["gpu"]) if settings.dla_core is not None else (),
        build_s=round(build_s, 2),
    )


def _write(plan: Plan, record: EngineRecord, path: Path) -> EngineReport:
    EngineFile(plan.content, plan.info, plan.export, record).write(path)
    report = EngineReport(
        path=path,
        report=path.with_suffix(".engine.json"),
        digest=digest_file(path),
        bytes=path.stat().st_size,
        plan_bytes=len(plan.content),
        record=record,
    )
    try:
        write_atomic(report.report, json.dumps(report.to_dict(), indent=2) + "\n")
    except BaseException:
        path.unlink()  # an engine without its report would be half an export
        raise
    return report
