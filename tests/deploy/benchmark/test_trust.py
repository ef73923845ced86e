from __future__ import annotations

import re

import pytest

from edgeseg.deploy.benchmark.conditions import snapshot
from edgeseg.deploy.benchmark.trust import warnings
from edgeseg.deploy.machine import usable_cores

STATE = {
    **dict.fromkeys(("cpu_mhz", "governor", "power_mode", "clocks_locked", "gpu", "throttle_events", "quota_waits")),
    "temperature_c": {"core": 50.0},
    "stolen_s": 1.0,
    "cpu_max_mhz": None,
}
GPU = {"clock_mhz": 1900, "temperature_c": 60, "slowed_by": []}
ROW = {
    "busy_share": 0.0,
    "others_share": 0.0,
    "threads": 1,
    "steady": True,
    "warm_up": 10,
    "variation": 0.01,
    "iterations": 100,
    "enqueue_ms": None,
    "network_ms": 5.0,
}


def row(before=None, after=None, **changes):
    states = {"before": {**STATE, **(before or {})}, "after": {**STATE, **(after or {})}}
    return {**ROW, "conditions": states, **changes}


def test_a_quiet_machine_is_trusted():
    assert warnings(row()) == []
    assert warnings(row({"gpu": GPU}, {"gpu": GPU})) == []
    assert STATE.keys() == snapshot().keys()


def test_a_machine_that_tells_nothing_is_not_accused():
    unknown = dict.fromkeys(STATE)
    assert warnings(row(unknown, unknown, busy_share=None, others_share=None, threads=None, steady=None)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"busy_share": 0.9}, "other processes used 90% of the cores before this row; stop what else runs"),
        ({"others_share": 0.3}, "other processes used 30% of the cores while it was measured; stop what else runs"),
        ({"threads": 4096}, f"4096 threads on {usable_cores()} usable cores; give --threads"),
        ({"steady": False}, "had not settled after 10 calls; give more --warm-up or --warm-up-limit"),
        ({"variation": 0.5}, "varies by 50%; the percentiles are not steady: fix the clocks"),
        ({"iterations": 50}, "p99 of 50 calls is about their maximum; give --iterations 100 or more"),
        ({"enqueue_ms": 4.5}, "as long to queue a frame as the GPU to compute it"),
        ({"before": {"cpu_mhz": 3000}, "after": {"cpu_mhz": 2500}}, "clock fell from 3000 to 2500 MHz"),
        ({"before": {"gpu": GPU}, "after": {"gpu": {**GPU, "clock_mhz": 900}}}, "GPU's clock fell from 1900 to 900"),
        ({"before": {"governor": "ondemand"}}, r"governor ondemand\); cpupower"),
        ({"before": {"clocks_locked": False}}, "sudo jetson_clocks"),
        ({"before": {"power_mode": "MAXN"}, "after": {"power_mode": "15W"}}, "changed from MAXN to 15W"),
        ({"after": {"temperature_c": {"core": 65.0}}}, "core went from 50 to 65 °C: it was still warming up"),
        (
            {"before": {"gpu": {**GPU, "temperature_c": 91}}, "after": {"gpu": {**GPU, "temperature_c": 93}}},
            "the GPU is at 93 °C, where chips slow",
        ),
        ({"before": {"throttle_events": 3}, "after": {"throttle_events": 4}}, "slowed itself down for its temperature"),
        ({"after": {"quota_waits": 2}}, "had to wait for its share of the processor; give it whole cores"),
        ({"after": {"stolen_s": 1.5}}, "its processors were given to others meanwhile"),
        ({"before": {"gpu": GPU}, "after": {"gpu": {**GPU, "slowed_by": ["power limit"]}}}, "slowed down by: power li"),
    ],
)
def test_each_trouble_is_told_once_with_its_cure(changes, told):
    found = warnings(row(**changes))
    assert len(found) == 1
    assert re.search(told, found[0])
