"""Runs an exported graph by OpenVINO on the CPU."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import Tensor, read_metadata
from edgeseg.deploy.openvino.model_file import SUFFIX, metadata_of, require_intact
from edgeseg.deploy.runners.base import missing_model
from edgeseg.deploy.runners.exported import ExportedRunner
from edgeseg.deploy.seal import sealed_metadata
from edgeseg.errors import ModelError, require

_HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16", "int8": "f32"}
"""Precision of the export → what OpenVINO computes in where the graph's own types leave it free."""
_NEEDED = {"fp16": "FP16", "bf16": "BF16"}
"""Precision → what the processor must be able to do, in OpenVINO's word for it."""


class OpenVinoRunner(ExportedRunner):
    """The Runner protocol on an exported ``.onnx`` or ``.xml``, computed in the precision that it was exported in.

    Args:
        path: The exported graph, or OpenVINO's own form of it with its weights beside it.
        threads: Threads of the network, None for the runtime's choice.
        size: None, or the (h, w) that the caller expects.

    Raises:
        ModelError: The file is damaged, its metadata is missing or does not describe its graph, it was
            altered after its export, or this processor cannot compute in its precision.
        ConfigError: The graph has another size than the one expected.
        MissingDependencyError: OpenVINO is not installed.
    """

    backend = "openvino"

    def __init__(self, path: Path, threads: int | None = None, size: tuple[int, int] | None = None) -> None:
        if not path.is_file():
            raise missing_model(path)
        self._path, self._threads = path, threads
        content = path.read_bytes()
        metadata = _sealed(path, content)
        model = read_model(path)
        metadata = metadata or metadata_of(model)
        inputs, outputs = _tensors(model.inputs), _tensors(model.outputs)
        self.info, self.export = read_metadata(metadata, inputs, outputs, str(path))
        self.size = self.fixed_size(size)
        self.digest = hashlib.sha256(content).hexdigest()
        self.output_names = tuple(tensor.name for tensor in outputs)
        self._compiled: Any = compile_model(model, self.export.precision, threads, path)
        self._request: Any = self._compiled.create_infer_request()

    def analyse(self, prepared: NDArray[Any], frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Runs the graph; the frame's size is in its input."""
        found = self._request.infer(self.fed(prepared), share_inputs=True)
        return {name: found[name] for name in self.output_names}

    def preprocess_share(self, frames: NDArray[np.uint8], calls: int) -> float | None:
        """Share of a deployed graph's time that its own preprocessing takes, by the runtime's counters of its nodes.

        Args:
            frames: (N, H, W, 3) uint8 RGB.
            calls: Calls that are counted, in a second compiled model.

        Returns:
            0 to 1; None where no node is named as preprocessing.
        """
        compiled = compile_model(read_model(self._path), self.export.precision, self._threads, self._path, counted=True)
        request = compiled.create_infer_request()
        own = total = 0.0
        for _ in range(calls):
            request.infer(self.fed(self.prepare(frames)), share_inputs=True)
            for node in request.profiling_info:
                seconds = node.real_time.total_seconds()
                total += seconds
                own += seconds if node.node_name.startswith("/preprocess/") else 0.0
        return own / total if own else None

    def close(self) -> None:
        """Frees the compiled model."""
        self._request = self._compiled = None


def _sealed(path: Path, content: bytes) -> dict[str, str]:
    """Metadata of an ``.onnx``; an ``.xml``'s is known once OpenVINO has read it. Either must be intact."""
    if path.suffix != SUFFIX:
        return sealed_metadata(content, str(path))
    require_intact(path, content)
    return {}


def read_model(path: Path) -> Any:
    """An exported graph as ``openvino.Model``.

    Raises:
        ModelError: OpenVINO cannot read it.
        MissingDependencyError: OpenVINO is not installed.
    """
    openvino = require("openvino", "openvino")
    try:
        return openvino.Core().read_model(str(path))
    except RuntimeError as error:
        raise ModelError(f"{path}: OpenVINO cannot read it ({_reason(error)}); export it again") from None


def lacking(precision: str) -> str | None:
    """What this processor would need for a precision and lacks, in OpenVINO's word; None where it has it."""
    needed = _NEEDED.get(precision)
    can = require("openvino", "openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return needed if needed is not None and needed not in can else None


def compile_model(model: Any, precision: str, threads: int | None, path: Path, counted: bool = False) -> Any:
    """Compiles an ``openvino.Model`` for the processor, to compute in a precision.

    Args:
        model: The model.
        precision: That of the export.
        threads: Threads of the network, None for the runtime's choice.
        path: Its file, for messages.
        counted: Whether the time of every node is counted.

    Raises:
        ModelError: This processor cannot compute in the precision, or OpenVINO cannot compile the model.
    """
    core = require("openvino", "openvino").Core()
    if lacking(precision):
        raise ModelError(
            f"{path}: its precision is {precision}, for which this processor lacks OpenVINO's {lacking(precision)}; "
            "run it on another, or export it in fp32 or int8"
        )
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS.get(precision, "f32"),
        "PERFORMANCE_HINT": "LATENCY",
        # Networks that were trained for long hold denormal weights, on which processors are many times slower.
        "CPU_DENORMALS_OPTIMIZATION": True,
        "PERF_COUNT": counted,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise ModelError(f"{path}: OpenVINO cannot compile it ({_reason(error)}); export it again") from None


def _reason(error: RuntimeError) -> str:
    """The last line with words: OpenVINO puts its own source files before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _tensors(ports: Any) -> tuple[Tensor, ...]:
    kinds = {"f32": "float", "u8": "uint8"}
    return tuple(
        Tensor(
            port.get_any_name(),
            f"tensor({kinds.get(port.get_element_type().get_type_name(), port.get_element_type().get_type_name())})",
            tuple("?" if length.is_dynamic else length.get_length() for length in port.get_partial_shape()),
        )
        for port in ports
    )
