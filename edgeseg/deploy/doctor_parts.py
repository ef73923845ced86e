"""What ``doctor`` finds, one function a part; each gives plain data and imports nothing it asks about."""

from __future__ import annotations

import re
from typing import Any

from edgeseg.deploy.doctor_machine import Machine
from edgeseg.deploy.jetson import parse_power_mode, parse_tegra_release

CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp")
"""Instructions that decide how fast a network runs; asimd is Arm's."""
JETPACK = {32: "4", 34: "5", 35: "5", 36: "6", 38: "7", 39: "7"}
"""Major release of Jetson Linux → of JetPack."""
REGION_COMMANDS = {
    "fast_slic": 'pip install "cython<3" numpy setuptools wheel && pip install --no-build-isolation fast-slic',
    "pydensecrf": "pip install pydensecrf2",
}


def cpu(machine: Machine) -> dict[str, Any]:
    """Model, cores, and the instructions among ``CPU_FLAGS``."""
    described = machine.describe()
    words = set((machine.read("/proc/cpuinfo") or "").split())
    keys = ("cpu", "logical_cores", "usable_cores", "cpu_limit", "memory_mb", "os", "python")
    return {key: described[key] for key in keys} | {"instructions": [f for f in CPU_FLAGS if f in words]}


def torch(machine: Machine) -> dict[str, Any]:
    """Version, and the CUDA that it was built for, by the file in which torch says so."""
    text = machine.package_file("torch", "version.py") or ""
    found = re.search(r"^cuda\b[^=]*=\s*'([^']+)'", text, re.MULTILINE)
    return {"version": machine.version("torch"), "built_for_cuda": found.group(1) if found else None}


def cuda(machine: Machine) -> dict[str, Any]:
    """Driver and GPUs, and the Python bindings."""
    driver = machine.driver()
    bindings = {name: machine.version(name) for name in ("cuda-python", "cuda-bindings", "pycuda")}
    return {
        "driver_runs_cuda": driver.cuda if driver else None,
        "gpus": [gpu.to_dict() for gpu in driver.gpus] if driver else [],
        "bindings": {name: version for name, version in bindings.items() if version},
    }


def tensorrt(machine: Machine) -> dict[str, Any]:
    """Version of the module ``tensorrt``, which JetPack installs without pip, and of TensorRT-RTX."""
    rtx = next(
        (v for n in ("tensorrt_rtx_cu12", "tensorrt_rtx_cu13", "tensorrt_rtx") if (v := machine.version(n))), None
    )
    return {"installed": machine.has_module("tensorrt"), "version": machine.version("tensorrt"), "rtx_version": rtx}


def onnxruntime(machine: Machine) -> dict[str, Any]:
    """Distributions, the one whose files are there, its providers, and whether they overwrote each other."""
    names = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
    installed = {name: version for name in names if (version := machine.version(name))}
    text = machine.package_file("onnxruntime", "capi/build_and_package_info.py") or ""
    owner = re.search(r"package_name\s*=\s*['\"]([^'\"]+)", text)
    files = machine.package_files("onnxruntime", "capi/*onnxruntime_providers_*")
    kinds = [m.group(1) for name in files if (m := re.search(r"providers_([a-z]+)", name)) and m.group(1) != "shared"]
    return {
        "distributions": installed,
        "files_of": owner.group(1) if owner else None,
        "providers": [*kinds, "cpu"] if machine.has_module("onnxruntime") else [],
        "overwritten": len(installed) > 1,
    }


def regions(machine: Machine) -> dict[str, Any]:
    """Quicker superpixels and the CRF, with the command for what is missing."""
    found = {name: machine.has_module(name) for name in REGION_COMMANDS}
    return {**found, "install": [command for name, command in REGION_COMMANDS.items() if not found[name]]}


def jetson(machine: Machine) -> dict[str, Any] | None:
    """Module, Jetson Linux, JetPack and power mode; None where the machine is no Jetson."""
    release = parse_tegra_release(machine.read("/etc/nv_tegra_release") or "")
    model = machine.read("/proc/device-tree/model") or ""
    if release is None and "jetson" not in model.lower():
        return None
    jetpack = JETPACK.get(int(release.split(".")[0])) if release else None
    return {
        "model": model or None,
        "linux": release,
        "jetpack": jetpack,
        **parse_power_mode(machine.run("nvpmodel", "-q")),
    }
