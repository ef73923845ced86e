from __future__ import annotations

import threading

import numpy as np
import pytest

from edgeseg.deploy.benchmark import loop
from edgeseg.deploy.benchmark.figures import latency_figures, median_interval
from edgeseg.deploy.benchmark.stages import stages


class Clock:
    """Time that passes when something is done, and not otherwise."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def perf_counter_ns(self):
        return round(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    return clock


class FakeRunner:
    """Takes 1 s to prepare and 4 s to analyse, by the clock."""

    backend = "fake"

    def __init__(self, clock):
        self.clock, self.prepared, self.analysed, self.threads = clock, 0, 0, set()

    def prepare(self, frames):
        self.prepared += 1
        self.threads.add(threading.get_ident())
        self.clock.now += 1
        return frames

    def analyse(self, prepared, size):
        self.analysed += 1
        self.clock.now += 4
        return {"class_map": prepared[..., 0]}


FRAMES = np.zeros((2, 4, 6, 3), np.uint8)


def test_warm_up_goes_on_until_two_windows_agree(clock):
    left = iter([9, 8, 7, 6, 5, 3, 2, 1.5, 1.2, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    def call():
        clock.now += next(left)

    warm = loop.warm_up(call, 2, 1000.0)
    # The window before the last has its middle at call 11, the first of 1.0, once there are 18.
    assert (warm.steady, warm.calls) == (True, 18)
    assert loop.is_steady([5.0] * 5 + [1.0] * 5) is False
    assert loop.is_steady([1.0] * 9) is False


def test_warm_up_ends_when_its_time_is_up(clock):
    spans = iter(range(1, 1000))

    def call():
        clock.now += next(spans)

    warm = loop.warm_up(call, 2, 100.0)
    assert warm.steady is False and warm.seconds >= 100 and warm.calls == 14


def test_no_warm_up_makes_no_call():
    assert loop.warm_up(lambda: pytest.fail("called"), 0, 1.0) == loop.WarmUp(0, 0.0, None)


def test_closed_loop_tells_preparing_from_the_rest(clock):
    found = loop.closed_loop(FakeRunner(clock), FRAMES, 3)
    assert found.prepare_ns.tolist() == [1e9] * 3 and found.analyse_ns.tolist() == [4e9] * 3
    assert found.wall_s == 15


def test_pipeline_prepares_each_frame_once_in_another_thread(clock):
    runner = FakeRunner(clock)
    fps, how = loop.pipelined(runner, FRAMES, 5)
    assert (runner.prepared, runner.analysed, how) == (5, 5, "prepared beside")
    assert threading.get_ident() not in runner.threads
    assert fps == pytest.approx(2 * 5 / 25, abs=1e-3)


def test_pipeline_takes_a_runners_own_stream(clock):
    runner = FakeRunner(clock)
    runner.stream = lambda batches: [setattr(clock, "now", clock.now + 2) for _ in batches]
    assert loop.pipelined(runner, FRAMES, 5) == (1.0, "stream")
    assert runner.prepared == 0


def test_figures_are_those_of_the_definition():
    times = np.random.default_rng(0).gamma(3.0, 5.0, 201)
    figures = latency_figures(times)
    ordered = np.sort(times)
    # With 201 values every hundredth part of the way is a value itself.
    expected = {f"p{p}": ordered[2 * p] for p in (50, 90, 95, 99)}
    for name, value in {**expected, "min": ordered[0], "max": ordered[-1], "mean": times.sum() / 201}.items():
        assert figures["latency_ms"][name] == pytest.approx(value, abs=1e-4)
    assert figures["p99_minus_p50_ms"] == pytest.approx(ordered[198] - ordered[100], abs=1e-4)
    mean = times.sum() / 201
    assert figures["variation"] == pytest.approx(np.sqrt(((times - mean) ** 2).sum() / 201) / mean, abs=1e-4)


@pytest.mark.parametrize("count", [20, 51, 100])
def test_median_interval_holds_the_median_as_often_as_it_says(count):
    rng = np.random.default_rng(count)
    held = 0
    for _ in range(2000):
        low, high = median_interval(rng.exponential(1.0, count))
        held += low <= np.log(2) <= high
    assert 0.94 <= held / 2000 <= 0.99


def test_interval_of_few_calls_is_their_range():
    assert median_interval(np.array([3.0])) == (3.0, 3.0)
    assert median_interval(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)


class Inside(FakeRunner):
    """A deployed graph."""

    class export:
        outputs = "graph"


class Shares(Inside):
    def preprocess_share(self, frames, calls):
        return 0.25


class Marks(Inside):
    """Marks as a GPU's runner gives them."""

    def stage_times(self, prepared):
        return type("Times", (), {"upload_ms": 1.0, "network_ms": 6.0, "download_ms": 2.0, "enqueue_ms": 0.5})()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FakeRunner, (1000.0, 0.0, 4000.0, None, "clock", set())),
        (Shares, (1250.0, 0.0, 3750.0, None, "runtime profile", set())),
        (Inside, (None, 0.0, 4000.0, None, None, {"preprocess_ms"})),
        (Marks, (None, 3.0, 6.0, 0.5, None, {"preprocess_ms"})),
    ],
)
def test_stages_come_from_whoever_can_tell(clock, kind, expected):
    runner = kind(clock)
    found = stages(runner, FRAMES, loop.closed_loop(runner, FRAMES, 3), 5000.0)
    keys = ("preprocess_ms", "transfer_ms", "network_ms", "enqueue_ms", "preprocess_by")
    assert (*(found[key] for key in keys), found["not_measured"].keys()) == expected
