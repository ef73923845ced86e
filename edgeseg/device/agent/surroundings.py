"""Who sees a frame, on which drive, where, and by what clock: by option, from a file, or from an adapter."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import TypeAdapter, ValidationError

from edgeseg.config import read_mapping
from edgeseg.device.agent.clock import kernel_clock
from edgeseg.errors import ConfigError
from edgeseg.frames import Frame
from edgeseg.plugins import import_callable
from edgeseg.progress import warn
from edgeseg.records import ClockState, Label, Location

LOOKS_EVERY_S = 1.0


@dataclass(frozen=True)
class Surroundings:
    """What a record says of the vehicle.

    Attributes:
        vehicle, drive: Who, and during which drive.
        place: Where, None where nobody knows.
        clock: State of the machine's clock; it counts for frames that have a time of capture.
    """

    vehicle: Label = "unknown"
    drive: Label = "unknown"
    place: Location | None = None
    clock: ClockState = "unverified"


class SurroundingsSource(Protocol):
    """Knows the surroundings; an adapter (GPS, CAN, ROS, MQTT) is made without arguments and does not block."""

    def now(self, frame: Frame) -> Surroundings:
        """The surroundings as a frame comes."""


class FixedSurroundings:
    """What was given by options; the clock's state is the kernel's, asked once a second."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given
        self._next_look_s = 0.0

    def now(self, frame: Frame) -> Surroundings:
        """The surroundings as a frame comes."""
        if time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + LOOKS_EVERY_S
            self._given = replace(self._given, clock=kernel_clock())
        return self._given


class FileSurroundings:
    """A YAML or JSON file that another program keeps up to date; what it leaves out comes from the options.

    A file that cannot be read leaves what was known, and is told. A place older than ``max_age_s`` is dropped: a
    receiver that has died must not put every later frame where it saw its last satellite.
    """

    def __init__(self, path: Path, given: Surroundings, max_age_s: float = 60.0) -> None:
        self._path = path
        self._fixed = FixedSurroundings(given)
        self._max_age_s = max_age_s
        self._read: dict[str, Any] = {}
        self._seen: tuple[int, int] | None = None
        self._changed_s = 0.0
        if not path.exists():
            raise ConfigError(f"--context {path}: no such file; write a file, or an adapter as package.module:Class")
        self._look()

    def now(self, frame: Frame) -> Surroundings:
        """The surroundings as a frame comes."""
        self._look()
        known = replace(self._fixed.now(frame), **self._read)
        return known if time.monotonic() - self._changed_s <= self._max_age_s else replace(known, place=None)

    def _look(self) -> None:
        try:
            state = self._path.stat()
        except OSError:
            return  # being replaced
        if (state.st_mtime_ns, state.st_ino) == self._seen:
            return
        self._seen, self._changed_s = (state.st_mtime_ns, state.st_ino), time.monotonic()
        try:
            plain = read_mapping(self._path)
            checked = TypeAdapter(Surroundings).validate_python(plain)
            known = vars(checked)
            if unknown := sorted(set(plain) - set(known)):
                raise ConfigError(f"{self._path}: {unknown[0]} is unknown; it may hold {', '.join(known)}")
            self._read = {name: getattr(checked, name) for name in plain}
        except ValidationError as error:
            first = error.errors()[0]
            warn(f"{self._path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; what was known before stays")
        except ConfigError as error:
            warn(f"{error}; what was known before stays")


def open_surroundings(context: str | None, given: Surroundings) -> SurroundingsSource:
    """The source that ``--context`` names.

    Args:
        context: A file, an adapter ``package.module:Class``, or None for the options alone.
        given: The options.

    Raises:
        ConfigError: There is no such file, or the adapter cannot be imported.
    """
    if context is None:
        return FixedSurroundings(given)
    if ":" in context and not Path(context).exists():
        made = import_callable(context, "--context", "package.module:Class", "a class with now(frame)")
        return cast(SurroundingsSource, made())
    return FileSurroundings(Path(context), given)


def parse_place(text: str) -> Location:
    """Reads ``LATITUDE,LONGITUDE`` in degrees, and an accuracy in metres behind a second comma.

    Raises:
        ConfigError: The text has another form, or a number is out of range.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) not in (2, 3):
            raise ValueError
        return Location(
            latitude_deg=numbers[0], longitude_deg=numbers[1], accuracy_m=numbers[2] if len(numbers) == 3 else None
        )
    except ValueError:  # pydantic's is one, too
        raise ConfigError(
            f"--place {text!r}: write LATITUDE,LONGITUDE in degrees, such as 52.52,13.40, or with metres: 52.52,13.40,5"
        ) from None
