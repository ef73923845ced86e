"""What Jetson's tools print, in the forms in which they were recorded on JetPack 4 to 7."""

from __future__ import annotations

import pytest

from edgeseg.deploy.jetson import parse_jetson_clocks, parse_power_mode, parse_tegrastats

NANO_4 = (
    "RAM 1923/3964MB (lfb 2x2MB) SWAP 191/1982MB (cached 6MB) IRAM 0/252kB(lfb 252kB) CPU [5%@1224,4%@1224,3%@1224,"
    "6%@1224] EMC_FREQ 0%@1600 GR3D_FREQ 0%@76 APE 25 PLL@37C CPU@40C PMIC@50C GPU@40C AO@45C thermal@40C "
    "POM_5V_IN 1750/1628 POM_5V_GPU 0/0 POM_5V_CPU 366/406"
)
TX2_4 = (
    "RAM 3276/7859MB (lfb 5x4MB) SWAP 1626/12122MB (cached 181MB) CPU [44%@1421,off,off,17%@1420] EMC_FREQ 1%@1866 "
    "GR3D_FREQ 0%@114 APE 150 MTS fg 1% bg 1% PLL@42.5C MCPU@42.5C PMIC@50C Tboard@38C GPU@39.5C BCPU@42.5C "
    "thermal@41.3C Tdiode@39.25C VDD_SYS_GPU 182/182 VDD_SYS_SOC 730/730 VDD_4V0_WIFI 0/0 VDD_IN 5297/5297"
)
XAVIER_5 = (
    "08-01-2023 19:57:35 RAM 5213/30992MB (lfb 5x4MB) SWAP 0/15496MB (cached 0MB) CPU [2%@1190,1%@1190] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 43%@1377 AUX@38.5C CPU@40C thermal@39.25C Tboard@39C AO@38.5C GPU@39.5C Tdiode@41C"
    " GPU 3071mW/1500mW CPU 1075mW/800mW SOC 2304mW/2000mW CV 153mW/100mW VDDRQ 460mW/400mW SYS5V 2450mW/2400mW"
)
ORIN_NANO_6 = (
    "10-17-2024 12:00:00 RAM 3139/7620MB (lfb 3x4MB) SWAP 0/3810MB (cached 0MB) CPU [4%@729,0%@729,off,off] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 99%@[624] NVDEC off NVJPG 729 APE 200 cpu@46.5C s2@45.4C cv0@-256C gpu@46.2C tj@46.5C"
    " VDD_IN 4940mW/4800mW VDD_CPU_GPU_CV 771mW/700mW VDD_SOC 1499mW/1400mW"
)
AGX_ORIN_7 = (
    "07-25-2026 09:08:28 RAM 20642/62817MB (lfb 1x2MB) CPU [23%@2201,10%@2201] EMC_FREQ 3%@3199 "
    "GR3D_FREQ 12%@[1300,1200] NVENC0 off PVA0_FREQ off APE 174 cpu@52.968C/52.968C gpu@47.625C/47.625C "
    "VDD_GPU_SOC 5139mW/5000mW/6000mW VDD_CPU_CV 3268mW/3200mW/4000mW VIN_SYS_5V0 5500mW/5400mW/5600mW"
)
THOR_7 = (
    "RAM 4722/125000MB (lfb 1x512kB) EMC_FREQ 2%@1866 GR3D_FREQ @[1000,1000,1000] APE 150 "
    "VDD_GPU 3000mW/3000mW/3000mW VDD_CPU_SOC_MSS 9000mW/9000mW/9000mW VIN 31000mW/31000mW/31000mW"
)


@pytest.mark.parametrize(
    ("line", "watts", "covers", "gpu_mhz", "busy", "ram", "sensor"),
    [
        (NANO_4, 1.750, "POM_5V_IN", 76.0, 0.0, 1923.0, ("GPU", 40.0)),
        (TX2_4, 5.297, "VDD_IN", 114.0, 0.0, 3276.0, ("Tdiode", 39.25)),
        (XAVIER_5, 9.513, "GPU + CPU + SOC + CV + VDDRQ + SYS5V", 1377.0, 0.43, 5213.0, ("AUX", 38.5)),
        (ORIN_NANO_6, 4.940, "VDD_IN", 624.0, 0.99, 3139.0, ("tj", 46.5)),
        (AGX_ORIN_7, 13.907, "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0", 1200.0, 0.12, 20642.0, ("cpu", 52.968)),
        (THOR_7, 31.0, "VIN", 1000.0, None, 4722.0, None),
    ],
)
def test_tegrastats_in_its_forms(line, watts, covers, gpu_mhz, busy, ram, sensor):
    sample = parse_tegrastats(line)
    assert sample.total_w() == (pytest.approx(watts), covers)
    assert (sample.gpu_mhz, sample.gpu_busy, sample.ram_mb) == (gpu_mhz, busy, ram)
    if sensor:
        assert sample.temperature_c[sensor[0]] == sensor[1]
    assert not {"RAM", "SWAP", "IRAM", "APE", "MB"} & sample.rails_mw.keys()


def test_a_sensor_without_power_is_left_out():
    assert "cv0" not in parse_tegrastats(ORIN_NANO_6).temperature_c


@pytest.mark.parametrize("line", ["", "nothing of the kind", "RAM x/yMB GR3D_FREQ"])
def test_a_line_that_says_nothing_says_nothing(line):
    sample = parse_tegrastats(line)
    assert (sample.rails_mw, sample.temperature_c, sample.gpu_mhz, sample.total_w()) == ({}, {}, None, None)


def test_rails_that_do_not_add_up_are_not_added():
    assert parse_tegrastats("VDD_GPU 3000mW/3000mW VDD_MSS 10mW/10mW").total_w() is None


def test_power_mode_is_read_from_the_verbose_form_too():
    text = (
        "NVPM VERB: parsing done for /etc/nvpmodel.conf\nNV Fan Mode:quiet\n"
        "NVPM VERB: Current mode: NV Power Mode: MODE_30W\n2\nNVPM VERB: PARAM CPU_ONLINE: ARG CORE_0\n"
    )
    assert parse_power_mode(text) == {"power_mode": "MODE_30W", "power_mode_id": 2}
    assert parse_power_mode("NV Power Mode: 15W\nNV Fan Mode: quiet\n") == {"power_mode": "15W", "power_mode_id": None}


CLOCKS = """SOC family:tegra234  Machine:Jetson AGX Orin
Online CPUs: 0-1
cpu0: Online=1 Governor=schedutil MinFreq=729600 MaxFreq=2201600 CurrentFreq=1113600 IdleStates: WFI=1 c7=1
cpu1: Online=1 Governor=schedutil MinFreq=2201600 MaxFreq=2201600 CurrentFreq=2201600 IdleStates: WFI=0 c7=0
cpu2: Online=0 Governor=schedutil MinFreq=729600 MaxFreq=2201600 CurrentFreq=729600 IdleStates: WFI=1
GPU MinFreq=1300500000 MaxFreq=1300500000 CurrentFreq=1300500000
EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000 FreqOverride=0
NV Power Mode: MAXN
"""


def test_clocks_and_whether_they_are_locked():
    clocks = parse_jetson_clocks(CLOCKS)
    assert clocks.keys() == {"cpu0", "cpu1", "GPU", "EMC"}
    assert (clocks["cpu0"].now_mhz, clocks["cpu0"].most_mhz, clocks["cpu0"].locked) == (1113.6, 2201.6, False)
    assert (clocks["GPU"].now_mhz, clocks["GPU"].locked, clocks["cpu1"].locked) == (1300.5, True, True)
    assert parse_jetson_clocks("Please run as root") == parse_jetson_clocks(None) == {}
