"""What this machine can do, which runtime will be chosen here, and why. Imports none of the runtimes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeseg.deploy import doctor_parts
from edgeseg.deploy.doctor_machine import Machine
from edgeseg.deploy.runners import SUFFIXES


@dataclass(frozen=True)
class Choice:
    """What runs a kind of model file here.

    Attributes:
        suffix: Of the file.
        backend: Runtime that ``bench``, ``score``, ``eval`` and ``predict`` choose.
        ready: Whether it can run here.
        why: Why, or what is missing and how to get it.
    """

    suffix: str
    backend: str
    ready: bool
    why: str


@dataclass(frozen=True)
class DoctorReport:
    """What was found.

    Attributes:
        machine: Processor, cores, memory (MiB), operating system, Python, instructions.
        torch: ``version`` and ``built_for_cuda``, null where not installed.
        cuda: ``driver_runs_cuda``, ``gpus``, ``bindings``.
        tensorrt: ``installed``, ``version``, ``rtx_version``.
        onnxruntime: ``distributions``, ``files_of``, ``providers``, ``overwritten``.
        openvino: Version, null where not installed.
        regions: ``fast_slic``, ``pydensecrf``, ``install`` (commands for what is missing).
        jetson: ``model``, ``linux``, ``jetpack``, ``power_mode``, ``power_mode_id``; null elsewhere.
        choices: What runs each kind of file.
        advice: What to mend, most urgent first.
    """

    machine: dict[str, Any]
    torch: dict[str, Any]
    cuda: dict[str, Any]
    tensorrt: dict[str, Any]
    onnxruntime: dict[str, Any]
    openvino: str | None
    regions: dict[str, Any]
    jetson: dict[str, Any] | None
    choices: tuple[Choice, ...]
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, Any]]:
        """What a person reads, part by part."""
        parts = {key: value for key, value in self.to_dict().items() if key not in ("choices", "advice")}
        return [
            (f"{part} {key}" if isinstance(value, dict) else part, _told(inner))
            for part, value in parts.items()
            for key, inner in (value if isinstance(value, dict) else {"": value}).items()
        ]


def examine(machine: Machine | None = None) -> DoctorReport:
    """Looks at a machine, this one by default."""
    machine = machine or Machine()
    found: dict[str, Any] = {
        "machine": doctor_parts.cpu(machine),
        "torch": doctor_parts.torch(machine),
        "cuda": doctor_parts.cuda(machine),
        "tensorrt": doctor_parts.tensorrt(machine),
        "onnxruntime": doctor_parts.onnxruntime(machine),
        "openvino": machine.version("openvino"),
        "regions": doctor_parts.regions(machine),
        "jetson": doctor_parts.jetson(machine),
    }
    choices = tuple(_CHOICES[backend](suffix, found) for suffix, backend in SUFFIXES.items())
    return DoctorReport(**found, choices=choices, advice=tuple(_advice(found)))


def _by_onnxruntime(suffix: str, found: dict[str, Any]) -> Choice:
    if not found["onnxruntime"]["providers"]:
        return Choice(suffix, "onnxruntime", False, "onnxruntime is not installed: pip install 'edgeseg[cpu]'")
    cores = found["machine"]["usable_cores"]
    faster = "; --backend openvino, installed here, is faster for some networks" if found["openvino"] else ""
    return Choice(suffix, "onnxruntime", True, f"the file's own runtime, on the CPU's {cores} usable cores{faster}")


def _by_openvino(suffix: str, found: dict[str, Any]) -> Choice:
    if found["openvino"] is None:
        return Choice(suffix, "openvino", False, "OpenVINO is not installed: pip install 'edgeseg[openvino]'")
    return Choice(suffix, "openvino", True, f"the file's own runtime, OpenVINO {found['openvino']}")


def _by_tensorrt(suffix: str, found: dict[str, Any]) -> Choice:
    if not found["cuda"]["gpus"]:
        return Choice(suffix, "tensorrt", False, "no CUDA driver answers here: use the .onnx, or a machine with a GPU")
    gpu = found["cuda"]["gpus"][0]
    if not found["tensorrt"]["installed"]:
        return Choice(suffix, "tensorrt", False, f"there is a GPU ({gpu['name']}), but {_tensorrt_cure(gpu)}")
    version = found["tensorrt"]["version"] or "of unknown version"
    return Choice(
        suffix, "tensorrt", True, f"TensorRT {version} on {gpu['name']}, if the engine was built by and on it"
    )


def _by_torch(suffix: str, found: dict[str, Any]) -> Choice:
    if found["torch"]["version"] is None:
        return Choice(suffix, "torch", False, "torch is not installed: pip install 'edgeseg[train]'")
    if found["torch"]["built_for_cuda"] and found["cuda"]["gpus"]:
        return Choice(
            suffix, "torch", True, f"torch {found['torch']['version']} and {found['cuda']['gpus'][0]['name']}"
        )
    return Choice(suffix, "torch", True, f"torch {found['torch']['version']} on the CPU")


_CHOICES = {"onnxruntime": _by_onnxruntime, "openvino": _by_openvino, "tensorrt": _by_tensorrt, "torch": _by_torch}


def _tensorrt_cure(gpu: dict[str, Any]) -> str:
    if float(gpu["compute_capability"]) < 7.0:
        return "TensorRT is missing; the last for this GPU is 8.6.1: pip install tensorrt==8.6.1 cuda-python"
    if gpu["integrated"]:
        return "TensorRT is missing; JetPack brings it: sudo apt install nvidia-jetpack"
    return "TensorRT is missing: pip install 'edgeseg[tensorrt]'"


def _advice(found: dict[str, Any]) -> list[str]:
    advice = []
    if found["onnxruntime"]["overwritten"]:
        names = list(found["onnxruntime"]["distributions"])
        advice.append(
            f"{' and '.join(names)} overwrite each other's files (now there: {found['onnxruntime']['files_of']}); "
            f"mend it with: pip uninstall -y {' '.join(names)} && pip install 'edgeseg[cpu]', or 'edgeseg[gpu]'"
        )
    if found["cuda"]["gpus"] and found["torch"]["version"] and not found["torch"]["built_for_cuda"]:
        advice.append("there is a GPU, but this torch was built without CUDA; https://pytorch.org has the other one")
    jetson = found["jetson"]
    if jetson and jetson["jetpack"] == "5":
        advice.append("JetPack 5 has Python 3.8: export the .onnx elsewhere and build the engine here by trtexec")
    if jetson and jetson["power_mode"] and not jetson["power_mode"].startswith("MAXN"):
        advice.append(f"power mode {jetson['power_mode']} bounds the clocks; before a benchmark: sudo nvpmodel -m 0")
    advice += [f"for quicker superpixels and the CRF: {command}" for command in found["regions"]["install"]]
    return advice


def _told(value: Any) -> str | None:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or None
    if isinstance(value, list):
        return "; ".join(_told(item) or "" if isinstance(item, dict) else str(item) for item in value) or None
    return None if value is None else str(value)
