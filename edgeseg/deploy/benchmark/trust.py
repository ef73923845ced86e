"""When a row's figures are not to be trusted, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeseg.deploy.machine import usable_cores

BUSY_LIMIT = 0.15
"""Share of the cores that others may use before a row is called disturbed."""
OTHERS_LIMIT = 0.1
"""The same while it is measured."""
VARIATION_LIMIT = 0.1
"""Standard deviation over mean of the latency from which a row is called unsteady."""
LEAST_CALLS = 100
"""Calls below which the 99th percentile is little else than the maximum."""
CLOCK_DROP = 0.05
WARMING_C = 10.0
HOT_C = 90.0
QUIET = "stop what else runs (top shows it) and measure again"


def warnings(row: dict[str, Any]) -> list[str]:
    """What is wrong with a row, one sentence each, with the cure."""
    before, after = row["conditions"]["before"], row["conditions"]["after"]
    return [*_load(row), *_spread(row), *_clocks(before, after), *_heat(before, after), *_held_back(before, after)]


def _load(row: dict[str, Any]) -> Iterator[str]:
    if (row["busy_share"] or 0) > BUSY_LIMIT:
        yield f"other processes used {row['busy_share']:.0%} of the cores before this row; {QUIET}"
    if (row["others_share"] or 0) > OTHERS_LIMIT:
        yield f"other processes used {row['others_share']:.0%} of the cores while it was measured; {QUIET}"
    if row["threads"] is not None and row["threads"] > usable_cores():
        yield f"{row['threads']} threads on {usable_cores()} usable cores; give --threads {usable_cores()} at most"


def _spread(row: dict[str, Any]) -> Iterator[str]:
    if row["steady"] is False:
        yield f"the latency had not settled after {row['warm_up']} calls; give more --warm-up or --warm-up-limit"
    if row["variation"] > VARIATION_LIMIT:
        yield (
            f"latency varies by {row['variation']:.0%}; the percentiles are not steady: fix the clocks (x86: cpupower "
            "frequency-set -g performance; Jetson: jetson_clocks; GPU: nvidia-smi -lgc) and measure again"
        )
    if row["iterations"] < LEAST_CALLS:
        yield f"p99 of {row['iterations']} calls is about their maximum; give --iterations {LEAST_CALLS} or more"
    if row["enqueue_ms"] is not None and row["enqueue_ms"] > 0.8 * row["network_ms"]:
        yield "the host needs as long to queue a frame as the GPU to compute it; this is the host's speed"


def _clocks(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name, key in (("processor", "cpu_mhz"), ("GPU", "clock_mhz")):
        first, last = ((state if key == "cpu_mhz" else state["gpu"] or {}).get(key) for state in (before, after))
        if first and last and last < (1 - CLOCK_DROP) * first:
            yield f"the {name}'s clock fell from {first:.0f} to {last:.0f} MHz; cool it or fix a lower clock"
    if before["governor"] in ("powersave", "ondemand", "conservative", "schedutil"):
        yield f"the clocks follow the load (governor {before['governor']}); cpupower frequency-set -g performance"
    if before["clocks_locked"] is False:
        yield "the clocks follow the load; sudo jetson_clocks holds them at the power mode's highest"
    if before["power_mode"] != after["power_mode"]:
        yield f"the power mode changed from {before['power_mode']} to {after['power_mode']}; measure again"


def _heat(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    first, last = _sensors(before), _sensors(after)
    rises = {name: last[name] - first[name] for name in first.keys() & last.keys()}
    risen = max(rises, key=lambda name: rises[name], default=None)
    if risen is not None and rises[risen] > WARMING_C:
        yield (
            f"{risen} went from {first[risen]:.0f} to {last[risen]:.0f} °C: it was still warming up; give more "
            "--warm-up and --warm-up-limit"
        )
    hottest = max(last, key=lambda name: last[name], default=None)
    if hottest is not None and last[hottest] >= HOT_C:
        yield f"{hottest} is at {last[hottest]:.0f} °C, where chips slow themselves down; cool it and measure again"


def _sensors(state: dict[str, Any]) -> dict[str, float]:
    gpu = (state["gpu"] or {}).get("temperature_c")
    return {**(state["temperature_c"] or {}), **({} if gpu is None else {"the GPU": gpu})}


def _held_back(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    if (after["throttle_events"] or 0) > (before["throttle_events"] or 0):
        yield "the processor slowed itself down for its temperature; cool it and measure again"
    if (after["quota_waits"] or 0) > (before["quota_waits"] or 0):
        yield "the container had to wait for its share of the processor; give it whole cores, or fewer --threads"
    if (after["stolen_s"] or 0) - (before["stolen_s"] or 0) > 0.1:
        yield "the machine is virtual and its processors were given to others meanwhile; measure on one of your own"
    slowed = {reason for state in (before, after) for reason in (state["gpu"] or {}).get("slowed_by") or ()}
    if slowed:
        yield f"the GPU was slowed down by: {', '.join(sorted(slowed))}; cool it, or raise the limit (nvidia-smi -pl)"
