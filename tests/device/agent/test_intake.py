"""Frames at their own pace: which go, how many, and what the source raises."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edgeseg.device.agent.intake import Intake, IntakeSettings
from edgeseg.errors import ConfigError, DataError
from edgeseg.frames import Frame, FrameSource, Reading
from edgeseg.frames.reconnect import Reconnecting

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Script(FrameSource):
    """Gives frames, and sets ``given`` after the last."""

    def __init__(self, count: int, fails: bool = False) -> None:
        super().__init__("script", Reading())
        self.count, self.fails = count, fails
        self.given = threading.Event()

    @property
    def length(self) -> None:
        return None

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            yield Frame(IMAGE, f"cam_{number:06d}", number, number / 10, "script")
        self.given.set()
        if self.fails:
            raise DataError("script: the cable is out")


@pytest.mark.parametrize(("drop", "left"), [("oldest", [0, 7, 8, 9]), ("newest", [0, 1, 2, 3])])
def test_frames_that_find_no_room_go_by_the_rule(drop: str, left: list[int]) -> None:
    source = Script(10)
    intake = Intake(source, IntakeSettings(buffer=3, drop=drop), lambda: False)  # type: ignore[arg-type]
    taken: list[int] = []
    first_taken = threading.Event()
    offer = intake._offer

    def in_step(frame: Frame) -> None:
        offer(frame)
        if frame.index == 0:
            first_taken.wait(5)

    intake._offer = in_step  # type: ignore[method-assign]
    for frame in intake:
        taken.append(frame.index)
        first_taken.set()
        source.given.wait(5)
    assert taken == left and intake.late == 6


def test_source_that_fails_is_heard_after_its_frames() -> None:
    seen: list[int] = []
    with pytest.raises(DataError, match="the cable is out"):
        seen.extend(f.index for f in Intake(Script(2, fails=True), IntakeSettings(buffer=5), lambda: False))
    intake = Intake(Script(2, fails=True), IntakeSettings(buffer=5), lambda: False)
    frames = iter(intake)
    assert [next(frames).index, next(frames).index] == [0, 1]


def test_frames_end_when_asked_to() -> None:
    stopping = [False]
    intake = Intake(Script(1000), IntakeSettings(rate=200), lambda: stopping[0])
    for frame in intake:
        stopping[0] = frame.index >= 3
    intake.close()
    assert intake._reader is not None and not intake._reader.is_alive()


def test_recorded_source_is_played_at_its_rate() -> None:
    start = time.monotonic()
    frames = list(Intake(Script(11), IntakeSettings(rate=50, buffer=20), lambda: False))
    assert len(frames) == 11 and time.monotonic() - start >= 0.2


def test_lost_source_is_opened_again_and_numbers_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgeseg.frames import reconnect

    monkeypatch.setattr(reconnect, "FIRST_WAIT_S", 0.001)
    connections = iter([None, Script(2, fails=True), None, None, Script(3), Script(1)])

    def opened() -> FrameSource:
        found = next(connections, None)
        if found is None:
            raise DataError("camera:0: cannot be opened")
        return found

    source = Reconnecting("camera:0", opened)
    seen: list[Frame] = []
    for frame in source:
        seen.append(frame)
        if len(seen) == 6:
            source.end()
    assert [f.index for f in seen] == list(range(6))
    assert [f.id for f in seen] == [f"cam_{n:06d}" for n in range(6)]
    times = [f.timestamp_s or 0 for f in seen]
    assert times == sorted(times)
    assert source.reconnects == 6
    told = capsys.readouterr().err
    assert "camera:0: cannot be opened; it is tried again" in told and "gives frames again" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate must be above 0 frames a second"),
        ({"buffer": 0}, "buffer must be 1 or more"),
        ({"drop": "any"}, "drop must be oldest or newest, got 'any'"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        IntakeSettings(**options)  # type: ignore[arg-type]
