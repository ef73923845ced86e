"""Doctor on machines that are not this one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgeseg.deploy.doctor import examine
from edgeseg.deploy.jetson import parse_power_mode, parse_tegra_release
from edgeseg.deploy.tensorrt.driver import Driver, Gpu

ORIN = Driver("12.6", (Gpu("Orin", "8.7", 16, 62_000, True),))
GTX = Driver("12.2", (Gpu("NVIDIA GeForce GTX 1080 Ti", "6.1", 28, 11_264, False),))
TEGRA = (
    "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025"
)
TEGRA_5 = (
    "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1 19:57:35 UTC 2023"
)


class FakeMachine:
    def __init__(self, versions=(), modules=(), files=None, commands=None, driver=None, package_files=None):
        self.versions, self.modules = dict(versions), set(modules)
        self.files, self.commands, self.found_driver = files or {}, commands or {}, driver
        self.packages = package_files or {}

    def describe(self):
        keys = ("cpu", "logical_cores", "usable_cores", "cpu_limit", "memory_mb", "os", "python")
        return dict.fromkeys(keys) | {"usable_cores": 8}

    def version(self, distribution):
        return self.versions.get(distribution)

    def has_module(self, name):
        return name in self.modules

    def package_file(self, module, path):
        return self.packages.get((module, path))

    def package_files(self, module, pattern):
        return tuple(name for owner, name in self.packages if owner == module and "providers" in name)

    def read(self, path):
        return self.files.get(path)

    def run(self, *command):
        return self.commands.get(command)

    def driver(self):
        return self.found_driver


def choice(report, suffix):
    return next(c for c in report.choices if c.suffix == suffix)


def test_bare_machine_is_told_what_to_install():
    report = examine(FakeMachine())
    assert not any(c.ready for c in report.choices)
    assert "pip install 'edgeseg[cpu]'" in choice(report, ".onnx").why
    assert "no CUDA driver answers here" in choice(report, ".engine").why
    assert "pip install 'edgeseg[train]'" in choice(report, ".edgeseg").why
    assert report.jetson is None
    told = "\n".join(report.advice)
    assert "--no-build-isolation fast-slic" in told and "pip install pydensecrf2" in told
    assert report.rows()


def test_jetson_with_jetpack_6():
    machine = FakeMachine(
        versions={"tensorrt": "10.3.0", "onnxruntime": "1.20.0"},
        modules={"tensorrt", "onnxruntime", "fast_slic", "pydensecrf"},
        files={
            "/etc/nv_tegra_release": TEGRA,
            "/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit",
            "/proc/cpuinfo": "Features : fp asimd asimdhp asimddp",
        },
        commands={("nvpmodel", "-q"): "NV Power Mode: MODE_30W\n2\n"},
        driver=ORIN,
    )
    report = examine(machine)
    assert report.jetson == {
        "model": "NVIDIA Jetson AGX Orin Developer Kit",
        "linux": "36.4.3",
        "jetpack": "6",
        "power_mode": "MODE_30W",
        "power_mode_id": 2,
    }
    assert choice(report, ".engine").ready
    assert "TensorRT 10.3.0 on Orin" in choice(report, ".engine").why
    assert report.machine["instructions"] == ["asimd", "asimdhp", "asimddp"]
    assert report.advice == ("power mode MODE_30W bounds the clocks; before a benchmark: sudo nvpmodel -m 0",)


def test_jetson_with_jetpack_5_is_sent_to_trtexec():
    report = examine(FakeMachine(files={"/etc/nv_tegra_release": TEGRA_5}, driver=ORIN))
    assert (report.jetson or {})["jetpack"] == "5"
    assert any("by trtexec" in line for line in report.advice)
    assert "sudo apt install nvidia-jetpack" in choice(report, ".engine").why


def test_gtx_is_told_its_last_tensorrt():
    machine = FakeMachine(
        versions={"torch": "2.5.1"},
        package_files={("torch", "version.py"): "__version__ = '2.5.1'\ncuda: Optional[str] = '12.1'\n"},
        driver=GTX,
    )
    report = examine(machine)
    assert "pip install tensorrt==8.6.1" in choice(report, ".engine").why
    assert choice(report, ".edgeseg").why == "torch 2.5.1 and NVIDIA GeForce GTX 1080 Ti"


def test_torch_without_cuda_beside_a_gpu_is_told():
    machine = FakeMachine(
        versions={"torch": "2.5.1+cpu"},
        package_files={("torch", "version.py"): "cuda: Optional[str] = None\n"},
        driver=GTX,
    )
    report = examine(machine)
    assert report.torch == {"version": "2.5.1+cpu", "built_for_cuda": None}
    assert any("built without CUDA" in line for line in report.advice)


def test_two_onnxruntimes_are_told_with_the_cure():
    machine = FakeMachine(
        versions={"onnxruntime": "1.20.0", "onnxruntime-gpu": "1.20.0"},
        modules={"onnxruntime"},
        package_files={
            ("onnxruntime", "capi/build_and_package_info.py"): "package_name = 'onnxruntime-gpu'\n",
            ("onnxruntime", "libonnxruntime_providers_cuda.so"): "",
            ("onnxruntime", "libonnxruntime_providers_shared.so"): "",
        },
    )
    report = examine(machine)
    assert (report.onnxruntime["overwritten"], report.onnxruntime["files_of"]) == (True, "onnxruntime-gpu")
    assert report.onnxruntime["providers"] == ["cuda", "cpu"]
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in report.advice[0]


@pytest.mark.parametrize(
    ("text", "mode", "number"),
    [
        ("NV Power Mode: MAXN\n0\n", "MAXN", 0),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: 15W\n2\n", "15W", 2),
        ("NV Fan Mode:quiet\nNV Power Mode: MODE_15W_6CORE\n2\n", "MODE_15W_6CORE", 2),
        ("", None, None),
        (None, None, None),
    ],
)
def test_power_mode_in_its_forms(text, mode, number):
    assert parse_power_mode(text) == {"power_mode": mode, "power_mode_id": number}


def test_release_in_its_forms():
    assert parse_tegra_release(TEGRA) == "36.4.3"
    assert parse_tegra_release(TEGRA_5) == "35.4.1"
    assert parse_tegra_release("nothing of the kind") is None


def test_this_machine_is_examined_without_importing_a_runtime():
    code = (
        "import json, sys\n"
        "from edgeseg.deploy.doctor import examine\n"
        "report = examine()\n"
        "runtimes = ('torch', 'onnxruntime', 'tensorrt', 'tensorrt_rtx', 'openvino', 'cuda')\n"
        "found = [name for name in runtimes if name in sys.modules]\n"
        "print(json.dumps([report.to_dict()['machine']['usable_cores'], found]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    cores, imported = json.loads(done.stdout or pytest.fail(done.stderr))
    assert cores >= 1
    assert imported == []
