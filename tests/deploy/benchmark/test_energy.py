from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from edgeseg.deploy.benchmark import energy, meters, nvml, sampling
from edgeseg.deploy.benchmark.conditions import snapshot
from edgeseg.deploy.benchmark.energy import open_meter, reading
from edgeseg.deploy.benchmark.meters import integrate

WRAP = 1_000_000


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(meters, "REST_S", 0.01)
    monkeypatch.setattr(energy.shutil, "which", lambda tool: None)


@pytest.fixture
def powercap(tmp_path):
    """A machine of two packages, one with memory; an MMIO twin that counts the first once more."""
    for folder, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl-mmio:0", "package-0"),
    ):
        place = tmp_path / folder
        place.mkdir()
        (place / "name").write_text(name + "\n")
        (place / "energy_uj").write_text("900000\n")
        (place / "max_energy_range_uj").write_text(f"{WRAP}\n")
    return tmp_path


def test_rapl_counts_packages_and_memory_and_wraps(powercap):
    meter = open_meter("onnxruntime", powercap)
    with meter:
        (powercap / "intel-rapl:0" / "energy_uj").write_text("950000")
        (powercap / "intel-rapl:0:0" / "energy_uj").write_text("999999")
        (powercap / "intel-rapl:0:1" / "energy_uj").write_text("100000")
    assert (meter.source, meter.covers) == ("rapl", "dram + package-0 + package-1")
    assert meter.joules == pytest.approx(0.05 + 0.2)
    found = reading(meter, 1.5, 10)
    assert found["joules_per_frame"] == pytest.approx(0.025)
    assert found["energy"]["idle_watts"] == 1.5 and found["not_measured"] == {}


def test_rest_is_in_watts(powercap, monkeypatch):
    meter = open_meter("onnxruntime", powercap)
    monkeypatch.setattr(
        meters.time, "sleep", lambda s: (powercap / "intel-rapl:1" / "energy_uj").write_text("910000"), raising=True
    )
    assert meter.rest() == pytest.approx(0.01 / meter.seconds)


def test_machine_without_a_meter_says_so(tmp_path):
    meter = open_meter("onnxruntime", tmp_path)
    assert meter.rest() is None
    with meter:
        pass
    found = reading(meter, None, 3)
    assert (found["joules_per_frame"], found["energy"]) == (None, None)
    assert "no package domain (a virtual machine" in found["not_measured"]["joules_per_frame"]


def test_counters_for_root_alone_give_the_command(powercap, monkeypatch):
    whole = type(powercap).read_text

    def refused(path, *arguments, **options):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return whole(path, *arguments, **options)

    monkeypatch.setattr(type(powercap), "read_text", refused)
    assert "sudo chmod a+r" in open_meter("openvino", powercap).why


def test_integral_is_that_of_a_ramp():
    times = np.linspace(0, 10, 101)
    # 3·t watts over 2 to 7 s.
    assert integrate(list(times), list(3 * times), 2.0, 7.0) == pytest.approx(1.5 * (49 - 4))
    assert integrate([5.0], [2.0], 4.0, 7.0) == pytest.approx(6.0)


class FakeNvml:
    """NVML of a GPU; names that the real module lacks are not here either."""

    class NVMLError(Exception):
        pass

    def __init__(self, counts=True, tells_power=True, reasons=0):
        self.counts, self.tells_power, self.reasons, self.opened, self.joules = counts, tells_power, reasons, 0, 5.0

    def __getattr__(self, name):
        return getattr(pytest.importorskip("pynvml"), name)

    def nvmlInit(self):
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetHandleByIndex(self, index):
        return "gpu"

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu):
        if not self.counts:
            raise self.NVMLError("not supported")
        self.joules += 2.0
        return 1000 * self.joules

    def nvmlDeviceGetPowerUsage(self, gpu):
        if not self.tells_power:
            raise self.NVMLError("not supported")
        return 150_000

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu):
        return 250_000

    def nvmlDeviceGetClockInfo(self, gpu, clock):
        return 1480

    def nvmlDeviceGetMaxClockInfo(self, gpu, clock):
        return 1911

    def nvmlDeviceGetTemperature(self, gpu, sensor):
        raise self.NVMLError("not supported")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu):
        return self.reasons

    def nvmlDeviceGetComputeRunningProcesses(self, gpu):
        return [SimpleNamespace(pid=1, usedGpuMemory=1), SimpleNamespace(pid=meters_pid(), usedGpuMemory=3 << 20)]


def meters_pid():
    return nvml.os.getpid()


@pytest.fixture
def gpu(monkeypatch):
    def make(**options):
        fake = FakeNvml(**options)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        monkeypatch.setattr(sampling, "NVML_INTERVAL_S", 0.001)
        return fake

    # Loaded before it is replaced, since the fake asks it for what it does not have itself.
    real = pytest.importorskip("pynvml")
    monkeypatch.setattr(FakeNvml, "__getattr__", lambda self, name: getattr(real, name))
    return make


def test_gpu_that_counts_its_energy_is_asked_for_it(gpu):
    fake = gpu()
    meter = open_meter("tensorrt")
    with meter:
        pass
    assert (meter.source, meter.covers, meter.joules) == ("nvml", "GPU board", 2.0)
    assert fake.opened == 0


def test_gpu_before_volta_is_sampled(gpu):
    fake = gpu(counts=False)
    meter = open_meter("tensorrt")
    with meter:
        time.sleep(0.15)
    assert meter.joules == pytest.approx(150.0 * meter.seconds, rel=0.01)
    assert fake.opened == 0


def test_gpu_that_does_not_tell_its_power_says_so(gpu):
    gpu(counts=False, tells_power=False)
    meter = open_meter("tensorrt")
    with meter:
        pass
    assert meter.joules is None
    assert "NVML does not tell this GPU's power" in reading(meter, None, 1)["not_measured"]["joules_per_frame"]


def test_gpu_without_nvml_gives_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py" in open_meter("tensorrt").why
    assert nvml.state() is None


def test_gpus_state(gpu):
    module = gpu()
    module.reasons = (
        module.nvmlClocksThrottleReasonSwThermalSlowdown
        | module.nvmlClocksThrottleReasonHwThermalSlowdown
        | module.nvmlClocksThrottleReasonSwPowerCap
        | module.nvmlClocksThrottleReasonGpuIdle
    )
    state = nvml.state()
    assert state == {
        "clock_mhz": 1480,
        "max_clock_mhz": 1911,
        "temperature_c": None,
        "power_limit_w": 250.0,
        "slowed_by": ["power limit", "temperature"],
        "memory_mb": 3.0,
    }


TEGRA = "RAM 100/200MB GR3D_FREQ 9%@[900] tj@{hot}C VDD_IN 5000mW/4000mW"
PRINTER = (
    "import time\nfor k in range(1000):\n    print({line!r}.format(hot=40 + k % 3), flush=True)\n    time.sleep(0.002)"
)


def tegrastats(line=TEGRA):
    return meters.SampledMeter(sampling.TegrastatsSampler((sys.executable, "-c", PRINTER.format(line=line))))


def wait_for_lines(meter, count=20):
    for _ in range(2000):
        if len(meter._sampler._taken) >= count:
            return
        time.sleep(0.005)


def test_jetson_is_sampled_by_tegrastats():
    meter = tegrastats()
    with meter:
        wait_for_lines(meter)
    assert (meter.source, meter.covers) == ("tegrastats", "VDD_IN")
    assert meter.joules == pytest.approx(5.0 * meter.seconds, rel=0.01)
    assert meter.details == {"gpu_mhz": [900.0, 900.0], "hottest_c": {"tj": 42.0}, "module_ram_mb": 100.0}
    assert meter._sampler._process.poll() is not None


def test_module_of_unknown_rails_names_them():
    meter = tegrastats("VDD_ODD 5mW/4mW")
    with meter:
        wait_for_lines(meter)
    assert (
        reading(meter, None, 1)["not_measured"]["joules_per_frame"]
        == "tegrastats names no rail of the whole module (it has: VDD_ODD)"
    )


def test_too_few_samples_say_so():
    meter = meters.SampledMeter(sampling.TegrastatsSampler((sys.executable, "-c", "pass")))
    with meter:
        pass
    assert "only 0 samples of power by tegrastats" in meter.why and "--iterations" in meter.why


def test_tegrastats_is_preferred_where_it_is(tmp_path):
    meter = open_meter("onnxruntime", tmp_path, tegrastats="/usr/bin/tegrastats")
    assert meter.source == "tegrastats"


class Asked:
    """A machine for ``snapshot``."""

    def __init__(self, files=None, commands=None):
        self.files, self.commands = files or {}, commands or {}

    def read(self, path):
        return self.files.get(path)

    def run(self, *command):
        return self.commands.get(command)


def test_state_of_a_throttled_machine_in_a_container(tmp_path):
    place = tmp_path / "devices/system/cpu/cpu0/thermal_throttle"
    place.mkdir(parents=True)
    (place / "core_throttle_count").write_text("3\n")
    (place / "package_throttle_count").write_text("4\n")
    files = {
        str(tmp_path / "devices/system/cpu/cpu0/cpufreq/scaling_governor"): "performance",
        str(tmp_path / "fs/cgroup/cpu.stat"): "usage_usec 5\nnr_periods 9\nnr_throttled 7\n",
    }
    state = snapshot(Asked(files), tmp_path)
    assert (state["throttle_events"], state["quota_waits"], state["governor"]) == (7, 7, "performance")
    assert (state["power_mode"], state["clocks_locked"]) == (None, None)


@pytest.mark.parametrize("error", [NotImplementedError("no file"), FileNotFoundError(2, "no file")])
def test_a_processor_that_does_not_tell_its_clock(tmp_path, monkeypatch, error):
    def refuses():
        raise error

    monkeypatch.setattr("edgeseg.deploy.benchmark.conditions.psutil.cpu_freq", refuses)
    state = snapshot(Asked(), tmp_path)
    assert (state["cpu_mhz"], state["cpu_max_mhz"]) == (None, None)


def test_state_of_a_jetson(tmp_path):
    clocks = "cpu0: Online=1 MinFreq=1 MaxFreq=2 CurrentFreq=1\nGPU MinFreq=9 MaxFreq=9 CurrentFreq=9"
    commands = {("nvpmodel", "-q"): "NV Power Mode: MAXN\n0\n", ("jetson_clocks", "--show"): clocks}
    state = snapshot(Asked({"/etc/nv_tegra_release": "# R36 (release)"}, commands), tmp_path)
    assert (state["power_mode"], state["clocks_locked"]) == ("MAXN", False)
    unlocked = snapshot(Asked({"/etc/nv_tegra_release": "# R36 (release)"}), tmp_path)
    assert (unlocked["power_mode"], unlocked["clocks_locked"]) == (None, None)
