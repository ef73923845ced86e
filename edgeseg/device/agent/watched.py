"""Files that are looked at while the agent runs: replaced, they are read again between two frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from edgeseg.config import resolve
from edgeseg.errors import ConfigError
from edgeseg.progress import say, warn

LOOKS_EVERY_S = 1.0
Settings = TypeVar("Settings")


class WatchedFile:
    """Says when a file has been replaced or rewritten, once it has kept still for one look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = self._last = self._state()
        self._next_look_s = time.monotonic() + LOOKS_EVERY_S

    def has_changed(self) -> bool:
        """Whether it is another file than at the start, or than when this was last True."""
        now = time.monotonic()
        if now < self._next_look_s:
            return False
        self._next_look_s = now + LOOKS_EVERY_S
        state, before = self._state(), self._last
        self._last = state
        # A file that is still being copied changes from look to look.
        if state is None or state == self._taken or state != before:
            return False
        self._taken = state
        return True

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class SettingsFile(Generic[Settings]):
    """Settings that are read again when their file is replaced; one that cannot be used is told, and the old stay.

    Args:
        path: YAML file.
        kind: A frozen dataclass.

    Attributes:
        settings: Those in force.
        swaps, refused: How often new ones came, and could not be used.

    Raises:
        ConfigError: The file cannot be used at the start.
    """

    def __init__(self, path: Path, kind: type[Settings]) -> None:
        self.settings = resolve(kind, path)
        self.swaps = self.refused = 0
        self._path, self._kind = path, kind
        self._watched = WatchedFile(path)

    def between_frames(self, adopt: Callable[[Settings], object]) -> None:
        """Reads the file where it is new.

        Args:
            adopt: Puts the new settings in force; raises ``ConfigError`` where it cannot, and leaves the old ones.
        """
        if not self._watched.has_changed():
            return
        try:
            new = resolve(self._kind, self._path)
            if new == self.settings:
                return
            adopt(new)
        except ConfigError as error:
            self.refused += 1
            warn(f"{self._path}: was replaced by settings that cannot be used, so the old ones stay: {error}")
            return
        self.settings = new
        self.swaps += 1
        say(f"{self._path}: the new settings hold from now on")
