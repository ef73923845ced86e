"""The structured log: one JSON object a line, in files of bounded size."""

from __future__ import annotations

import json
import logging
import math
import sys
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from edgeseg.errors import OutputError
from edgeseg.stores import without_secrets

FILE_BYTES: Final = 10_000_000
FILES: Final = 5


class Journal:
    """Writes events.

    Args:
        path: The file, whose last ``FILES`` generations of ``FILE_BYTES`` stay; ``-`` for stderr.

    Raises:
        OutputError: It cannot be written.
    """

    def __init__(self, path: str) -> None:
        try:
            self._handler: logging.Handler = (
                logging.StreamHandler(sys.stderr)
                if path == "-"
                else RotatingFileHandler(_made(Path(path)), maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8")
            )
        except OSError as error:
            raise OutputError(f"--log {path}: cannot be written ({error.strerror}); name another file") from None
        # Its own, so that neither other libraries' records come in nor ours go out.
        self._logger = logging.Logger("edgeseg.journal")
        self._logger.addHandler(self._handler)
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, event: str, level: str = "info", **fields: Any) -> None:
        """Writes one event; a figure that is not a number becomes null."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        plain = {key: _plain(value) for key, value in fields.items()}
        line = json.dumps({"time": now, "level": level, "event": event, **plain}, ensure_ascii=False)
        self._logger.info(without_secrets(line))

    def message(self, level: str, text: str) -> None:
        """Writes what is told at the terminal."""
        self.write("message", level, text=text)

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return sorted(value) if isinstance(value, frozenset) else value
