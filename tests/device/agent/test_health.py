"""Each trouble is noticed, counted, and told when it begins and when it is over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseg.device.agent import health as module
from edgeseg.device.agent.health import Health, HealthSettings, available_memory_mb
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame

IN_2026 = 1_790_000_000.0


def frame(number: int, value: int | None = None, shape: tuple[int, int] = (48, 64), wall: float | None = None) -> Frame:
    rng = np.random.default_rng(number)
    image = rng.integers(20, 200, (*shape, 3), np.uint8) if value is None else np.full((*shape, 3), value, np.uint8)
    return Frame(image, f"f_{number}", number, None, "camera:0", wall)


@pytest.fixture
def health() -> Health:
    return Health(HealthSettings(), available_mb=lambda: 1000.0)


def test_well_frames_have_no_trouble(health: Health) -> None:
    assert all(not health.look(frame(n, wall=IN_2026 + n)) for n in range(10))
    assert not any(health.counts.values())


def test_black_frames_are_counted_and_told(health: Health, capsys: pytest.CaptureFixture[str]) -> None:
    for n, value in enumerate((None, 3, 5, 7, None)):
        health.look(frame(n, value))
    assert health.counts["black"] == 3
    told = capsys.readouterr().err
    assert told.count("warning: black, from frame f_1 on") == 1 and "black: over at frame f_4, 3 so far" in told


def test_night_is_not_black(health: Health) -> None:
    image = np.full((48, 64, 3), 5, np.uint8)
    image[:8, :8] = 200
    assert "black" not in health.look(Frame(image, "night", 0, None, "camera:0"))


def test_frozen_camera_is_noticed_after_some_equal_frames(health: Health) -> None:
    found = [bool(health.look(frame(n if n < 2 else 2)) & {"frozen"}) for n in range(8)]
    assert found == [False] * 5 + [True] * 3
    assert not health.look(frame(99))


def test_other_size_than_the_models_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    health = Health(HealthSettings(), (48, 64), lambda: 1000.0)
    assert health.look(frame(0, shape=(48, 80))) == {"size"}
    assert not health.look(frame(1))
    assert "size, from frame f_0 on" in capsys.readouterr().err


def test_size_that_changes_under_way_is_noticed(health: Health) -> None:
    health.look(frame(0))
    assert health.look(frame(1, shape=(24, 32))) == {"size"}


@pytest.mark.parametrize("times", [(10.0, 11.0), (IN_2026, IN_2026 - 5)])
def test_clock_that_is_not_set_or_goes_back_is_noticed(health: Health, times: tuple[float, float]) -> None:
    assert [health.look(frame(n, wall=wall)) for n, wall in enumerate(times)][-1] == {"clock"}


def test_memory_running_out_is_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now, left = [0.0], [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    health = Health(HealthSettings(), available_mb=lambda: left[0])
    assert not health.look(frame(0))
    left[0] = 20.0
    assert not health.look(frame(1)), "it is asked once a second"
    now[0] = 1.0
    assert health.look(frame(2)) == {"memory"} and health.counts["memory"] == 1
    assert "memory is running out" in capsys.readouterr().err


def test_memory_of_this_machine_is_a_number() -> None:
    assert 1 < available_memory_mb() < 1e8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"black_level": 300}, "black_level must be 0 to 255, got 300"),
        ({"black_share": 0.0}, "black_share must be above 0"),
        ({"frozen_frames": 0}, "frozen_frames must be 1 or more"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    make: Callable[..., HealthSettings] = HealthSettings
    with pytest.raises(ConfigError, match=message):
        make(**options)
