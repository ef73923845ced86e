"""Waits and windows against the closed form."""

from __future__ import annotations

from datetime import datetime

import pytest

from edgeseg.device.upload import UploadSettings
from edgeseg.device.upload.pace import Backoff, Throttle
from edgeseg.device.upload.settings import parse_rate
from edgeseg.device.upload.windows import Windows
from edgeseg.errors import ConfigError


def test_throttle_holds_the_average() -> None:
    clock = [0.0]
    throttle = Throttle(1000.0, lambda: clock[0])
    for size in (500, 1500, 250, 4000):
        clock[0] += throttle.reserve(size)
    assert clock[0] == pytest.approx((500 + 1500 + 250) / 1000), (
        "the last one starts when the others have had their time"
    )
    clock[0] += 100
    assert throttle.reserve(500) == 0, "an idle line owes nothing"
    assert Throttle(None).reserve(10**12) == 0


def test_waits_double_to_their_bound_and_are_spread_evenly() -> None:
    backoff = Backoff(0.5, 60, seed=0)
    for failures, bound in ((1, 0.5), (2, 1.0), (5, 8.0), (9, 60.0), (500, 60.0)):
        waits = [backoff.wait_s(failures) for _ in range(2000)]
        assert 0 <= min(waits) < 0.02 * bound and 0.98 * bound < max(waits) <= bound
        assert sum(waits) / len(waits) == pytest.approx(bound / 2, rel=0.05)


@pytest.mark.parametrize(
    ("windows", "clock", "wait_s"),
    [
        ((), "12:00:00", 0),
        (("22:00-06:00",), "23:59:59", 0),
        (("22:00-06:00",), "05:59:59", 0),
        (("22:00-06:00",), "06:00:00", 16 * 3600),
        (("22:00-06:00",), "21:59:30", 30),
        (("12:00-13:00", "02:00-03:00"), "13:00:00", 13 * 3600),
        (("00:00-24:00",), "23:59:59", 0),
    ],
)
def test_windows_open_and_close(windows: tuple[str, ...], clock: str, wait_s: float) -> None:
    now = datetime.fromisoformat(f"2026-03-01T{clock}")
    assert Windows.parse(windows).wait_s(now) == wait_s


@pytest.mark.parametrize(
    ("text", "rate"), [("500KB/s", 5e5), ("2.5 MB/s", 2.5e6), ("80000", 8e4), ("1g", 1e9), ("64kb", 64e3)]
)
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blobs": "some"}, "blobs must be all or on-request, got 'some'"),
        ({"bandwidth": "fast"}, "bandwidth must be bytes a second such as 500KB/s or 2MB/s, got 'fast'"),
        ({"bandwidth": "0"}, "bandwidth must be bytes a second"),
        ({"windows": ("22-6",)}, "window '22-6': write times of the day as HH:MM-HH:MM"),
        ({"windows": ("25:00-26:00",)}, "window '25:00-26:00'"),
        ({"windows": ("06:00-06:00",)}, "window '06:00-06:00'"),
        ({"parallel": 0}, "parallel must be 1 or more"),
        ({"attempts": 0}, "attempts must be 1 or more"),
        ({"timeout_s": 0.0}, "timeout_s must be above 0"),
        ({"first_wait_s": 90.0}, "first_wait_s must be 0 to longest_wait_s"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UploadSettings(**options)  # type: ignore[arg-type]
