"""Runners: one protocol, one module a runtime, opened by the file's suffix or by the runtime's name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from edgeseg.deploy.runners.base import Runner, missing_model
from edgeseg.errors import ConfigError, UsageError, require

BACKENDS = {
    "onnxruntime": "edgeseg.deploy.runners.onnxruntime:OnnxRuntimeRunner",
    "openvino": "edgeseg.deploy.runners.openvino:OpenVinoRunner",
    "tensorrt": "edgeseg.deploy.runners.tensorrt:TensorRTRunner",
    "torch": "edgeseg.nets.runner:TorchRunner",
}
"""Runtime → class that runs it; loaded when asked for, so that no runtime is needed by another."""
SUFFIXES = {".onnx": "onnxruntime", ".xml": "openvino", ".engine": "tensorrt", ".edgeseg": "torch"}
"""Suffix → the runtime of its files where none is named."""
_ALSO = {".onnx": ("openvino",)}
# Not TensorRT, which must not be touched before the driver was asked.
_PACKAGES = {
    "onnxruntime": ("onnxruntime", "cpu"),
    "openvino": ("openvino", "openvino"),
    "torch": ("torch", "train"),
}

__all__ = ["BACKENDS", "SUFFIXES", "Runner", "open_runner", "resolve_backend"]


def open_runner(
    path: Path, backend: str | None = None, threads: int | None = None, size: tuple[int, int] | None = None
) -> Runner:
    """Opens a model.

    Args:
        path: ``.onnx`` (an exported graph), ``.engine`` (built from one on this machine) or ``.edgeseg`` (a
            checkpoint, which always gives logits).
        backend: Key of ``BACKENDS``, None for the suffix's own.
        threads: CPU threads within one operator, None for the runtime's choice.
        size: (h, w) of the network's input for a checkpoint; an exported graph has its own.

    Raises:
        ModelError: The file is missing, damaged or not made by this package.
        ConfigError: An unknown backend, threads below 1, or a size that an exported graph does not have.
        UsageError: The backend does not run files of this suffix.
        MissingDependencyError: The runtime is not installed.
    """
    name = resolve_backend(path, backend)
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads must be at least 1, got {threads}")
    if not path.is_file():
        raise missing_model(path)
    if name in _PACKAGES:
        require(*_PACKAGES[name])
    module, _, attribute = BACKENDS[name].partition(":")
    return cast(Runner, getattr(import_module(module), attribute)(path, threads=threads, size=size))


def resolve_backend(path: Path, backend: str | None) -> str:
    """Name of the runtime for a file.

    Raises:
        ConfigError: The backend or the suffix is unknown.
        UsageError: The backend does not run files of this suffix.
    """
    if backend is not None and backend not in BACKENDS:
        raise ConfigError(f"--backend {backend}: choose from {', '.join(BACKENDS)}")
    own = SUFFIXES.get(path.suffix)
    if own is None:
        raise ConfigError(f"{path}: a model's suffix is one of {', '.join(SUFFIXES)}, got {path.suffix!r}")
    able = (own, *_ALSO.get(path.suffix, ()))
    if backend is not None and backend not in able:
        raise UsageError(
            f"{path}: --backend {backend} does not run {path.suffix} files; use --backend {' or '.join(able)}"
        )
    return backend or own
