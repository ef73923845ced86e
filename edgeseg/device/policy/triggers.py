"""What asks from outside for a frame: a file, a signal, or an adapter such as one for MQTT or ROS."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol, cast

from edgeseg.errors import ConfigError
from edgeseg.plugins import import_callable

LONGEST_REASON = 100


class Trigger(Protocol):
    """Asked once a frame. An adapter is a class without arguments; what it listens to is its own affair."""

    def poll(self) -> str | None:
        """Why the frame in hand is to be kept; None where it is not asked for. Must return at once."""
        ...

    def close(self) -> None:
        """Stops listening."""
        ...


class FileTrigger:
    """Fires when a file appears, and removes it; its first line is the reason."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def poll(self) -> str | None:
        """See ``Trigger.poll``."""
        try:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                reason = file.readline(LONGEST_REASON).strip()
            self._path.unlink()
        except OSError:
            return None
        return reason or self._path.name

    def close(self) -> None:
        """Nothing to stop."""


class SignalTrigger:
    """Fires when the process gets a signal.

    Args:
        name: Such as ``USR1``.

    Raises:
        ConfigError: There is no such signal, or it has another use.
    """

    def __init__(self, name: str) -> None:
        if name not in ("USR1", "USR2"):
            raise ConfigError(f"trigger signal:{name}: choose signal:USR1 or signal:USR2")
        self._name = name
        self._fired = False
        self._number = signal.Signals[f"SIG{name}"]
        self._former = signal.signal(self._number, self._fire)

    def poll(self) -> str | None:
        """See ``Trigger.poll``."""
        fired, self._fired = self._fired, False
        return f"signal {self._name}" if fired else None

    def close(self) -> None:
        """Gives the signal back."""
        signal.signal(self._number, self._former)

    def _fire(self, number: int, frame: FrameType | None) -> None:
        self._fired = True


def open_triggers(specs: Sequence[str]) -> list[Trigger]:
    """Opens triggers.

    Args:
        specs: ``file:PATH``, ``signal:USR1``, or ``package.module:Class``.

    Raises:
        ConfigError: One of them cannot be opened.
    """
    return [_open(spec) for spec in specs]


def _open(spec: str) -> Trigger:
    kind, _, rest = spec.partition(":")
    if kind == "file" and rest:
        return FileTrigger(Path(rest))
    if kind == "signal":
        return SignalTrigger(rest)
    form = "file:PATH, signal:USR1 or package.module:Class"
    made = import_callable(spec, "trigger", form, "a class that takes no arguments")()
    if not (hasattr(made, "poll") and hasattr(made, "close")):
        raise ConfigError(f"trigger {spec!r} lacks poll or close; see edgeseg.device.policy.triggers.Trigger")
    return cast(Trigger, made)
