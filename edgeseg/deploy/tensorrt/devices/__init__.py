"""CUDA's memory, streams and graphs behind one small protocol, by whichever Python binding is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from edgeseg.deploy.tensorrt.devices.base import Device
from edgeseg.errors import ConfigError, MissingDependencyError

VARIABLE = "EDGESEG_CUDA_BINDING"
"""Environment variable that names a binding."""
BINDINGS = {
    "cuda-python": "edgeseg.deploy.tensorrt.devices.cuda_python:CudaPythonDevice",
    "cudart": "edgeseg.deploy.tensorrt.devices.cudart_ctypes:CudartDevice",
    "pycuda": "edgeseg.deploy.tensorrt.devices.pycuda:PycudaDevice",
}
"""Name → class. The first is the default; the second, which needs no package, stands in where it is not installed."""

__all__ = ["BINDINGS", "VARIABLE", "Device", "choose_binding", "open_device"]


def choose_binding(environment: Mapping[str, str] | None = None) -> str:
    """Name of the binding to use.

    Raises:
        ConfigError: The environment names one that there is not.
    """
    named = (os.environ if environment is None else environment).get(VARIABLE)
    if named is not None and named not in BINDINGS:
        raise ConfigError(f"{VARIABLE}={named}: choose from {', '.join(BINDINGS)}")
    return named or ("cuda-python" if find_spec("cuda") is not None else "cudart")


def open_device(name: str | None = None) -> Device:
    """Opens the first GPU.

    Args:
        name: Key of ``BINDINGS``, None for ``choose_binding``'s.

    Raises:
        ConfigError: There is no binding of this name.
        MissingDependencyError: The binding is not installed, or finds no GPU.
    """
    chosen = name or choose_binding()
    if chosen not in BINDINGS:
        raise ConfigError(f"CUDA binding {chosen!r}: choose from {', '.join(BINDINGS)}")
    module, _, attribute = BINDINGS[chosen].partition(":")
    try:
        return cast(Device, getattr(import_module(module), attribute)())
    except ModuleNotFoundError as error:
        extra = "pycuda" if chosen == "pycuda" else "tensorrt"
        raise MissingDependencyError(
            f"{error.name} is not installed; install it with: pip install 'edgeseg[{extra}]', "
            f"or set {VARIABLE}=cudart to do without"
        ) from None
