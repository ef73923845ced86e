"""Vehicle, drive, place and clock: by option, file and adapter."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from edgeseg.device.agent import surroundings as module
from edgeseg.device.agent.clock import kernel_clock
from edgeseg.device.agent.surroundings import Surroundings, open_surroundings, parse_place
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame
from edgeseg.records import Location

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), "f", 0, None, "camera:0")
GIVEN = Surroundings("car-1", "drive-1", Location(latitude_deg=1, longitude_deg=2))


def write(path: Path, text: str) -> None:
    partial = path.with_suffix(".new")
    partial.write_text(text)
    partial.replace(path)


def test_options_stand_and_the_kernel_tells_of_the_clock() -> None:
    now = open_surroundings(None, GIVEN).now(FRAME)
    assert (now.vehicle, now.drive, now.place) == ("car-1", "drive-1", GIVEN.place)
    assert now.clock == kernel_clock() and now.clock in ("synchronized", "unverified")


def test_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "context.yaml"
    write(path, "drive: night-7\nplace: {latitude_deg: 52.5, longitude_deg: 13.4, accuracy_m: 3}\n")
    source = open_surroundings(str(path), GIVEN)
    now = source.now(FRAME)
    assert (now.vehicle, now.drive) == ("car-1", "night-7")
    assert now.place == Location(latitude_deg=52.5, longitude_deg=13.4, accuracy_m=3)
    write(path, '{"place": {"latitude_deg": 48.1, "longitude_deg": 11.5}, "clock": "synchronized"}')
    now = source.now(FRAME)
    assert now.place == Location(latitude_deg=48.1, longitude_deg=11.5)
    assert (now.drive, now.clock) == ("drive-1", "synchronized")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drive: [", "cannot be read as YAML"),
        ("drive: 'a b'\n", "drive: "),
        ("place: {latitude_deg: 91, longitude_deg: 0}\n", "place.latitude_deg"),
        ("car: 3\n", "car is unknown; it may hold vehicle, drive, place, clock"),
    ],
)
def test_unusable_file_is_told_and_changes_nothing(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "context.yaml"
    write(path, "drive: known\n")
    source = open_surroundings(str(path), GIVEN)
    write(path, text)
    assert source.now(FRAME).drive == "known" and source.now(FRAME).drive == "known"
    told = capsys.readouterr().err
    assert told.count(message) == 1 and "what was known before stays" in told


def test_place_of_a_receiver_that_died_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "context.yaml"
    write(path, "place: {latitude_deg: 1, longitude_deg: 2}\n")
    source = open_surroundings(str(path), Surroundings())
    assert source.now(FRAME).place is not None
    start = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: start + 61)
    assert source.now(FRAME).place is None


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--context .*no such file; write a file, or an adapter"):
        open_surroundings(str(tmp_path / "none.yaml"), GIVEN)


def test_adapter_is_asked_for_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    class Receiver:
        def now(self, frame: Frame) -> Surroundings:
            return Surroundings(drive=f"d-{frame.index}")

    adapters = types.ModuleType("adapters")
    adapters.Receiver = Receiver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adapters", adapters)
    assert open_surroundings("adapters:Receiver", GIVEN).now(FRAME).drive == "d-0"
    with pytest.raises(ConfigError, match=r"--context 'adapters:Other' cannot be imported"):
        open_surroundings("adapters:Other", GIVEN)


def test_place_is_read_from_an_option() -> None:
    assert parse_place("52.5,13.4") == Location(latitude_deg=52.5, longitude_deg=13.4)
    assert parse_place("52.5, 13.4, 5").accuracy_m == 5
    for text in ("52.5", "north,13", "95,0", "1,2,3,4"):
        with pytest.raises(ConfigError, match="write LATITUDE,LONGITUDE in degrees"):
            parse_place(text)
